package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document reads the one YAML document of a file and returns its top mapping, or nil after noting why there is none.
func document(data []byte, r *report) *yaml.Node {
	if len(data) > MaxConfigBytes {
		r.addAt(0, "", "the file has %d bytes; at most %d are read", len(data), MaxConfigBytes)
		return nil
	}
	doc, err := loadOne(data)
	if err != nil {
		r.addAt(lineOfError(err), "", "%s", describeError(err))
		return nil
	}
	if doc == nil || doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || isNull(doc.Content[0]) {
		r.addAt(0, "", "the file is empty")
		return nil
	}
	inspect(doc.Content[0], 1, r)
	if len(r.mistakes) > 0 { // what follows may assume a tree of plain values
		return nil
	}
	return doc.Content[0]
}

var errManyDocuments = errors.New("the file holds more than one YAML document")

func loadOne(data []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read yaml: %w", err)
	}
	var doc, rest yaml.Node
	if err := loader.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil // an empty file is no error of YAML's
		}
		return nil, err
	}
	if err := loader.Load(&rest); !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, errManyDocuments)
	}
	return &doc, nil
}

func lineOfError(err error) int {
	if load := new(yaml.LoadError); errors.As(err, &load) {
		return load.Mark.Line
	}
	return 0
}

func describeError(err error) string {
	load := new(yaml.LoadError)
	switch {
	case errors.As(err, &load) && load.ContextMsg != "":
		return fmt.Sprintf("this is not YAML: %s %s", load.Message, load.ContextMsg)
	case errors.As(err, &load):
		return "this is not YAML: " + load.Message
	case errors.Is(err, errManyDocuments):
		return errManyDocuments.Error()
	default:
		return "this is not YAML: " + err.Error()
	}
}

// inspect refuses what weir.yaml has no use for and what could make a small file large: aliases, tags, NUL characters
// and deep nesting.
func inspect(n *yaml.Node, depth int, r *report) {
	switch {
	case depth > MaxConfigDepth:
		r.addAt(n.Line, "", "mappings and lists are nested more than %d deep", MaxConfigDepth)
		return
	case n.Kind == yaml.AliasNode:
		r.addAt(n.Line, "", "aliases such as *%s are not supported; write the value out", n.Value)
		return
	case n.Anchor != "":
		r.addAt(n.Line, "", "anchors such as &%s are not supported; write the value out where it is needed", n.Anchor)
	case !plainTag(n.ShortTag()):
		r.addAt(n.Line, "", "the tag %s is not supported; write the value without it", n.ShortTag())
	case strings.ContainsRune(n.Value, 0):
		r.addAt(n.Line, "", "a text holds the character NUL, which cannot be stored")
	}
	for _, child := range n.Content {
		inspect(child, depth+1, r)
	}
}

func plainTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!map", "!!seq", "!!merge":
		return true
	default:
		return false
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// isText says whether a scalar was meant as text. What looks like a date is text here: weir.yaml has no dates.
func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.ShortTag() == "!!timestamp")
}

// kindOf names what a value is, in words.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	default:
		return "text"
	}
}
