package main

import (
	"fmt"
	"strings"

	"github.com/weirhq/weir/task"
)

type schemaCmd struct {
	Name string `arg:"" help:"task, result, outcome or envelope."`
}

// Run prints a JSON Schema of the contract.
func (c *schemaCmd) Run(a *app) error {
	schema, ok := task.Schema(c.Name)
	if !ok {
		return fmt.Errorf("%w: there is no schema %q; there are %s", errUsage, c.Name, strings.Join(task.SchemaNames(), ", "))
	}
	_, err := a.stdout.Write(schema)
	return err
}
