package catalog

import (
	_ "embed" // the starter file
	"slices"

	"go.yaml.in/yaml/v4"
)

//go:embed weir.example.yaml
var example []byte

// Default is a complete, commented weir.yaml to start from: two providers, three models of each, a cascade for every
// class, three features and the classifier's default rules.
func Default() []byte { return slices.Clone(example) }

// exampleRules are the rules that apply when a file names none. They are read from the starter file, so that the
// default and what people see of it are one.
func exampleRules(r *report) *yaml.Node {
	doc, err := loadOne(example)
	if err != nil {
		r.addAt(0, "classifier.rules", "the built-in rules cannot be read: %s", err)
		return nil
	}
	own := newReport() // the lines of the starter file are not those of the file that is read
	return readObject(doc.Content[0], "", own).object("classifier").get("rules")
}
