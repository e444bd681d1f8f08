package task

import "embed"

//go:generate go run ./schemagen

//go:embed schema/*.schema.json
var schemas embed.FS

// SchemaNames are the names that Schema knows.
func SchemaNames() []string { return []string{"task", "result", "outcome", "envelope"} }

// Schema is the JSON Schema (draft 2020-12) of a part of the contract, by one of SchemaNames. A body that the schema
// refuses, weir refuses. The reverse does not hold: a schema cannot say everything that Decode and Check look at.
func Schema(name string) ([]byte, bool) {
	text, err := schemas.ReadFile("schema/" + name + ".schema.json")
	return text, err == nil
}
