// Command schemagen writes the JSON Schemas of the contract from the Go types of package task, their comments and their
// limits. It runs in the directory of package task, by go generate.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/weirhq/weir/task"
)

const (
	taskPackage = "github.com/weirhq/weir/task"
	schemaBase  = "https://" + taskPackage + "/schema/"
	fileMode    = 0o644
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

// run writes the schemas of the package whose source is in dir.
func run(dir string) error {
	comments, err := readComments(dir, taskPackage)
	if err != nil {
		return err
	}
	for _, name := range task.SchemaNames() {
		text, err := generate(name, comments)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, "schema", name+".schema.json")
		if err := os.WriteFile(path, text, fileMode); err != nil {
			return fmt.Errorf("write schema: %w", err)
		}
	}
	return nil
}

// readComments collects the doc comments of the types in dir. The import path is that of the working directory: the
// comments' names are made of both.
func readComments(dir, importPath string) (map[string]string, error) {
	var r jsonschema.Reflector
	if err := r.AddGoComments(importPath, dir, jsonschema.WithFullComment()); err != nil {
		return nil, fmt.Errorf("read comments: %w", err)
	}
	return r.CommentMap, nil
}

// generate is the text of one schema.
func generate(name string, comments map[string]string) ([]byte, error) {
	of, err := typeOf(name)
	if err != nil {
		return nil, err
	}
	r := jsonschema.Reflector{
		ExpandedStruct: true,
		Mapper:         mapType,
		LookupComment:  func(t reflect.Type, field string) string { return describe(comments, t, field) },
	}
	s := r.ReflectFromType(of)
	s.ID = jsonschema.ID(schemaBase + name + ".schema.json")
	s.Title = "weir " + name
	if err := constrain(of.Name(), s); err != nil {
		return nil, err
	}
	for def, schema := range s.Definitions {
		if err := constrain(def, schema); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema of %s: %w", name, err)
	}
	return append(readable(text), '\n'), nil
}

func typeOf(name string) (reflect.Type, error) {
	switch name {
	case "task":
		return reflect.TypeFor[task.Task](), nil
	case "result":
		return reflect.TypeFor[task.Result](), nil
	case "outcome":
		return reflect.TypeFor[task.Outcome](), nil
	case "envelope":
		return reflect.TypeFor[task.Envelope](), nil
	}
	return nil, fmt.Errorf("no type for schema %q", name)
}

// readable undoes the escapes that encoding/json writes for the sake of HTML.
func readable(text []byte) []byte {
	for escaped, plain := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"} {
		text = bytes.ReplaceAll(text, []byte(escaped), []byte(plain))
	}
	return text
}

// describe is the comment of a type, or of one of its fields, with the fields named as they are in JSON.
func describe(comments map[string]string, t reflect.Type, field string) string {
	key := t.PkgPath() + "." + t.Name()
	if field != "" {
		key += "." + field
	}
	text := strings.Join(strings.Fields(comments[key]), " ")
	if t.Kind() != reflect.Struct {
		return text
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			text = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(text, name)
		}
	}
	return text
}
