package catalog

import (
	"maps"
	"slices"

	"github.com/weirhq/weir/task"
)

// CascadeFor is the models to try for a task of a feature and class, cheapest first: the feature's own cascade, else
// the class's, else the one of the feature's class, when a task names a class that has none. It is never empty for a
// feature and a class that the catalog can come to. The caller must not change it.
func (c *Catalog) CascadeFor(feature Feature, class task.Class) []string {
	if len(feature.Cascade) > 0 {
		return feature.Cascade
	}
	if models := c.Cascades[class]; len(models) > 0 {
		return models
	}
	return c.Cascades[feature.Class]
}

// UsedModels is every model that a task can come to, through a cascade or sideways from there, in order of name: the
// models that need a price and a key.
func (c *Catalog) UsedModels() []string {
	used := map[string]bool{}
	for _, models := range c.Cascades {
		c.use(models, used)
	}
	for _, f := range c.Features {
		c.use(f.Cascade, used)
	}
	return slices.Sorted(maps.Keys(used))
}

func (c *Catalog) use(models []string, used map[string]bool) {
	for _, name := range models {
		if !used[name] {
			used[name] = true
			c.use(c.Models[name].Sideways, used)
		}
	}
}

// UsedProviders is the providers of UsedModels in order of name.
func (c *Catalog) UsedProviders() []string {
	used := map[string]bool{}
	for _, name := range c.UsedModels() {
		used[c.Models[name].Provider] = true
	}
	return slices.Sorted(maps.Keys(used))
}
