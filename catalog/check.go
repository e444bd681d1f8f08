package catalog

import (
	"maps"
	"slices"

	"github.com/weirhq/weir/task"
)

// check holds the sections against each other: every name must be defined where it is said to be.
func check(c *Catalog, r *report) {
	checkSections(c, r)
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		checkRateLimits(c, c.Providers[name], r)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		checkModel(c, c.Models[name], r)
	}
	for _, class := range classes() {
		checkCascade(c, "cascades."+string(class), c.Cascades[class], r)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		checkCascade(c, "features."+name+".cascade", c.Features[name].Cascade, r)
		checkFeatureSettings(c, c.Features[name], r)
		checkAgree(c, c.Features[name], r)
	}
	checkUsedClasses(c, r)
	checkTranslations(c, r)
	checkEmbedders(c, r)
	checkRuleFeatures(c, r)
	checkLane("lanes.now", c.Lanes.Now, c.Limits, r)
	checkLane("lanes.batch", c.Lanes.Batch, c.Limits, r)
}

func checkSections(c *Catalog, r *report) {
	if r.broken[""] {
		return
	}
	for _, section := range []struct {
		path, why string
		size      int
	}{
		{"providers", "define at least one", len(c.Providers)},
		{"models", "define at least one", len(c.Models)},
		{"features", "define at least one: every task belongs to a feature", len(c.Features)},
	} {
		if section.size == 0 && !r.broken[section.path] && !r.mistaken(section.path) {
			r.add(section.path, "is missing or empty; %s", section.why)
		}
	}
}

func checkModel(c *Catalog, m Model, r *report) {
	path := "models." + m.Name
	if _, ok := c.Providers[m.Provider]; !ok && m.Provider != "" {
		unknown(c.Providers, r, path+".provider", "provider", m.Provider, "providers")
	}
	checkModelSettings(c, m, r)
	seen := map[string]bool{}
	for i, name := range m.Sideways {
		at := index(path+".sideways", i)
		other, ok := c.Models[name]
		switch {
		case name == m.Name:
			r.add(at, "names the model itself")
		case seen[name]:
			r.add(at, "names model %q twice", name)
		case !ok:
			unknown(c.Models, r, at, "model", name, "models")
		case other.Tier != m.Tier && other.Tier != "" && m.Tier != "":
			r.add(at, "names model %q of tier %s, but %q is of tier %s; a way sideways costs the same", name, other.Tier, m.Name, m.Tier)
		}
		seen[name] = true
	}
}

func checkCascade(c *Catalog, path string, models []string, r *report) {
	seen := map[string]bool{}
	for i, name := range models {
		if _, ok := c.Models[name]; !ok {
			unknown(c.Models, r, path, "model", name, "models")
		} else if seen[name] {
			r.add(index(path, i), "names model %q twice", name)
		}
		seen[name] = true
	}
}

// checkAgree asks for a cascade in which as many models as must agree come before the last. Where the class is open, one
// cascade of them is enough: a class whose cascade is shorter asks its last model alone.
func checkAgree(c *Catalog, f Feature, r *report) {
	if f.Agree == 0 || r.broken["cascades"] {
		return
	}
	longest := 0
	for _, class := range classes() {
		if f.Class == "" || f.Class == class || len(f.Cascade) > 0 {
			longest = max(longest, len(c.CascadeFor(f, class)))
		}
	}
	if longest <= f.Agree {
		r.add("features."+f.Name+".agree", "wants %d models to agree before the last of the cascade, so it needs a cascade of at least %d models; it has %d",
			f.Agree, f.Agree+1, longest)
	}
}

// unknown reports a name that its section does not define, unless the section itself could not be read.
func unknown[T any](known map[string]T, r *report, path, kind, name, section string) {
	if r.broken[section] {
		return
	}
	hint := r.hint(name, maps.Keys(known))
	r.add(path, "names %s %q, which is not defined under %s%s", kind, clip(name), section, hint)
}

// checkUsedClasses asks for a cascade for every class that a feature without one of its own can come to. A task may name
// another class than its feature's; CascadeFor falls back to the feature's class then.
func checkUsedClasses(c *Catalog, r *report) {
	if r.broken[""] || r.broken["cascades"] {
		return
	}
	for _, class := range classes() {
		path := "cascades." + string(class)
		if name := firstUser(c, class); name != "" && len(c.Cascades[class]) == 0 && !r.mistaken(path) {
			r.add(path, "is missing or empty, but tasks of feature %q can be of class %s; name its models, cheapest first", name, class)
		}
	}
}

func firstUser(c *Catalog, class task.Class) string {
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		f := c.Features[name]
		if len(f.Cascade) == 0 && (f.Class == "" || f.Class == class) {
			return name
		}
	}
	return ""
}

func checkRuleFeatures(c *Catalog, r *report) {
	for i, rule := range c.Classifier.Rules {
		for j, name := range rule.Features {
			if _, ok := c.Features[name]; !ok {
				unknown(c.Features, r, index(index("classifier.rules", i)+".features", j), "feature", name, "features")
			}
		}
	}
}

func checkLane(path string, lane Lane, limits Limits, r *report) {
	if lane.BundleBytes < int64(limits.PayloadBytes) {
		r.add(path+".bundle_bytes", "is %d, below limits.payload_bytes, which is %d: the largest task would fit no bundle",
			lane.BundleBytes, limits.PayloadBytes)
	}
}
