package catalog

import "go.yaml.in/yaml/v4"

// maxExamples is the most examples of a feature: each is sent, and paid, with every task.
const maxExamples = 200

func readExamples(o *object) []Example {
	n := o.get("examples")
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.r.addAt(n.Line, o.at("examples"),
			"is %s; it must be a list, such as [{input: Where is my parcel?, output: delivery}]", kindOf(n))
		return nil
	}
	if len(n.Content) > maxExamples {
		o.r.addAt(n.Line, o.at("examples"), "has %d examples; at most %d are allowed", len(n.Content), maxExamples)
		return nil
	}
	var out []Example
	for i, item := range n.Content {
		path := index(o.at("examples"), i)
		o.r.see(path, item.Line)
		out = append(out, readExample(readObject(item, path, o.r)))
	}
	return out
}

// readExample takes no empty turns: providers refuse them.
func readExample(o *object) Example {
	o.require("input", "write what a task would say")
	o.require("output", "write the answer that is wanted")
	e := Example{Input: o.text("input", 0), Output: o.text("output", 0)}
	for _, key := range []string{"input", "output"} {
		if n := o.values[key]; n != nil && isText(n) && n.Value == "" {
			o.r.add(o.at(key), "is empty; write a text")
		}
	}
	o.close()
	return e
}
