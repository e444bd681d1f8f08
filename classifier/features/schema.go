package features

import "bytes"

// maxSchemaBytes bounds what is read of one schema.
const maxSchemaBytes = 64 << 10

// measure says how deep a JSON Schema nests and how many properties it requires, at all levels together. It scans and
// does not parse, because it runs for every task; in a text that is not JSON it counts what looks like it.
func measure(schema []byte) (depth, required int) {
	schema = schema[:min(len(schema), maxSchemaBytes)]
	level, list := 0, -1 // list is the level inside a "required" list; -1 outside of one
	var last []byte      // the last string
	for i := 0; i < len(schema); i++ {
		switch schema[i] {
		case '"':
			end := stringEnd(schema, i+1)
			last = schema[i+1 : end]
			if level == list {
				required++
			}
			i = end
		case '{', '[':
			level++
			depth = max(depth, level)
			if schema[i] == '[' && bytes.Equal(last, []byte("required")) {
				list = level
			}
			last = nil
		case '}', ']':
			if level == list {
				list = -1
			}
			level--
		case ',':
			last = nil
		}
	}
	return depth, required
}

// stringEnd is where the string ends that begins at i, or the text.
func stringEnd(text []byte, i int) int {
	for ; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i, len(text))
}
