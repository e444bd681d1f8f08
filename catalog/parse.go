package catalog

import (
	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/task"
)

// Parse reads a weir.yaml, fills in the defaults and checks it. The error joins one plain sentence for each mistake, in
// the order of the file, each with its line and the path of the value; it never quotes a prompt or what could be a key.
// What needs the price book or the validators is not checked here.
func Parse(data []byte) (*Catalog, error) {
	r := newReport()
	root := document(data, r)
	if root == nil {
		return nil, r.err()
	}
	c := read(root, r)
	check(c, r)
	if err := r.err(); err != nil {
		return nil, err
	}
	hash, err := hashOf(c)
	if err != nil {
		return nil, err
	}
	c.Hash = hash
	return c, nil
}

func read(root *yaml.Node, r *report) *Catalog {
	o := readObject(root, "", r)
	c := &Catalog{
		Providers:  named(o, "providers", readProvider),
		Models:     named(o, "models", readModel),
		Cascades:   readCascades(o.object("cascades")),
		Features:   named(o, "features", readFeature),
		Classifier: readClassifier(o.object("classifier")),
		Embedders:  named(o, "embedders", readEmbedder),
		Lanes:      readLanes(o.object("lanes")),
		Limits:     readLimits(o.object("limits")),
		PriceBook:  readPriceBook(o.object("price_book")),

		Attachments: readAttachments(o.object("attachments")),
	}
	o.close()
	return c
}

func readCascades(o *object) map[task.Class][]string {
	cascades := map[task.Class][]string{}
	for _, class := range classes() {
		if models := o.texts(string(class), 0); len(models) > 0 {
			cascades[class] = models
		}
	}
	o.close()
	return cascades
}

func readLanes(o *object) Lanes {
	lanes := Lanes{Now: readLane(o.object("now")), Batch: readLane(o.object("batch"))}
	o.close()
	return lanes
}

func readLane(o *object) Lane {
	lane := Lane{
		BundleTasks:   o.count("bundle_tasks", DefaultBundleTasks, 1, maxBundleTasks),
		BundleBytes:   o.size("bundle_bytes", DefaultBundleBytes, minBundleBytes, maxBundleBytes),
		BundleWindow:  o.duration("bundle_window", DefaultBundleWindow, minBundleWindow, maxBundleWindow),
		ReleasedTasks: o.count("released_tasks", 0, 0, maxReleasedTasks),
	}
	o.close()
	return lane
}

func readLimits(o *object) Limits {
	limits := Limits{
		PayloadBytes:  int(o.size("payload_bytes", DefaultPayloadBytes, minPayloadBytes, maxPayloadBytes)),
		EnvelopeTasks: o.count("envelope_tasks", DefaultEnvelopeTasks, 1, maxEnvelopeTasks),
		Depth:         o.count("depth", DefaultDepth, 1, maxDepth),
		NumberChars:   o.count("number_chars", DefaultNumberChars, 1, maxNumberChars),
	}
	o.close()
	return limits
}

// classes are all classes, cheapest first.
func classes() []task.Class { return []task.Class{task.L1, task.L2, task.L3} }
