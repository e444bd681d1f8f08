package catalog

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// object reads one mapping. Its getters note wrong values in the report and return the default instead, so that one run
// finds every mistake. What was never asked for is unknown: close reports it.
type object struct {
	r      *report
	path   string
	keys   []string // in the order of the file
	values map[string]*yaml.Node
	lines  map[string]int
	asked  []string
}

// readObject never returns nil: a value that is no mapping is noted and read as an empty one. So is a key without a
// value, silently: a heading under which everything is commented out is no mistake.
func readObject(n *yaml.Node, path string, r *report) *object {
	o := &object{r: r, path: path, values: map[string]*yaml.Node{}, lines: map[string]int{}}
	if n == nil || isNull(n) {
		return o
	}
	if n.Kind != yaml.MappingNode {
		r.addAt(n.Line, cmp.Or(path, "the file"), "is %s; it must be a mapping of keys to values", kindOf(n))
		r.breaks(path)
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		o.put(n.Content[i], n.Content[i+1])
	}
	return o
}

func (o *object) put(key, value *yaml.Node) {
	if key.Kind != yaml.ScalarNode || isNull(key) || key.ShortTag() == "!!merge" {
		o.r.addAt(key.Line, o.path, "a key must be a plain word")
		return
	}
	if utf8.RuneCountInString(key.Value) > maxKeyChars {
		o.r.addAt(key.Line, o.path, "a key is longer than %d characters", maxKeyChars)
		return
	}
	if first, ok := o.lines[key.Value]; ok {
		o.r.addAt(key.Line, o.at(key.Value), "is already defined on line %d", first)
		return
	}
	o.keys = append(o.keys, key.Value)
	o.values[key.Value] = value
	o.lines[key.Value] = key.Line
	o.r.see(o.at(key.Value), key.Line)
}

// at is the path of a key.
func (o *object) at(key string) string { return join(o.path, ".", key) }

// get is the value of a key, nil when the key is absent.
func (o *object) get(key string) *yaml.Node {
	o.asked = append(o.asked, key)
	return o.values[key]
}

// has says whether the file names the key, whatever its value.
func (o *object) has(key string) bool {
	_, ok := o.values[key]
	return ok
}

// object reads a mapping under a key.
func (o *object) object(key string) *object {
	return readObject(o.get(key), o.at(key), o.r)
}

// require notes that a key without which the rest makes no sense is absent.
func (o *object) require(key, why string) {
	if !o.has(key) && !o.r.broken[o.path] {
		o.r.add(o.path, "%s is missing; %s", key, why)
	}
}

// close reports every key that no getter asked for.
func (o *object) close() {
	for _, key := range o.keys {
		if !slices.Contains(o.asked, key) {
			o.r.addAt(o.lines[key], o.path, "unknown key %q%s", key, o.r.hint(key, slices.Values(o.asked)))
		}
	}
}

// named reads a mapping of names to mappings, such as the providers.
func named[T any](o *object, key string, read func(name string, o *object) T) map[string]T {
	section := o.object(key)
	out := make(map[string]T, len(section.keys))
	for _, name := range section.keys {
		if !validName(name) {
			section.r.addAt(section.lines[name], key, "%q is no name; %s", clip(name), nameRule)
			section.asked = append(section.asked, name)
			continue
		}
		entry := section.object(name)
		out[name] = read(name, entry)
		entry.close()
	}
	return out
}
