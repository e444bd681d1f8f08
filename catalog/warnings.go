package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// Warnings is one plain sentence for each thing that works but is probably not meant: a cascade that goes on to a
// cheaper tier, and a model that no task can come to.
func (c *Catalog) Warnings() []string {
	var out []string
	for _, class := range classes() {
		out = append(out, c.descents("cascades."+string(class), c.Cascades[class])...)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		out = append(out, c.descents("features."+name+".cascade", c.Features[name].Cascade)...)
	}
	out = append(out, c.translateWarnings()...)
	used := c.UsedModels()
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if _, ok := slices.BinarySearch(used, name); !ok {
			out = append(out, fmt.Sprintf("models.%s: no cascade names it, and no model that is used goes sideways to it", name))
		}
	}
	return out
}

func (c *Catalog) descents(path string, models []string) []string {
	var out []string
	for i := 1; i < len(models); i++ {
		from, to := c.Models[models[i-1]], c.Models[models[i]]
		if to.Tier.rank() < from.Tier.rank() {
			out = append(out, fmt.Sprintf("%s: goes from %q (%s) on to %q (%s), which is cheaper; a cascade begins with the cheapest",
				path, from.Name, from.Tier, to.Name, to.Tier))
		}
	}
	return out
}
