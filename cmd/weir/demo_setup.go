package main

import (
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/providers/sim/backlog"
)

//go:embed demo/weir.yaml
var demoYAML string

const demoTenant = "demo"

// demoRun is one pass of the backlog.
type demoRun struct {
	name   string // also the batch label
	suffix string // of the features: a single-model run has features of its own, so that SQL compares them
	prefix string // of the tasks' ids
	model  string // the one model, empty for the cascade
}

// feature is the feature of a document in this run.
func (r demoRun) feature(name string) string {
	if r.suffix == "" {
		return name
	}
	return name + "-" + r.suffix
}

func cascadeRun() demoRun { return demoRun{name: "cascade"} }

func cheapestRun() demoRun { return singleRun("haiku") }

func flagshipRun() demoRun { return singleRun("opus") }

func singleRun(model string) demoRun {
	return demoRun{name: model + " only", suffix: model, prefix: model + "/", model: model}
}

// demoSetup joins the demo's configuration with the backlog's features, once for the cascade and once for each single
// model.
func demoSetup(simulatorURL string) (*setup, error) {
	data, err := demoConfig(simulatorURL)
	if err != nil {
		return nil, err
	}
	return newSetup(data)
}

func demoConfig(simulatorURL string) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(demoYAML, "{{url}}", simulatorURL)), &document); err != nil {
		return nil, fmt.Errorf("read the demo's configuration: %w", err)
	}
	features := map[string]any{}
	for _, r := range []demoRun{cascadeRun(), cheapestRun(), flagshipRun()} {
		var of struct {
			Features map[string]map[string]any `yaml:"features"`
		}
		if err := yaml.Unmarshal([]byte(backlog.FeaturesYAML), &of); err != nil {
			return nil, fmt.Errorf("read the backlog's features: %w", err)
		}
		for name, feature := range of.Features {
			if r.model != "" {
				feature["cascade"] = []string{r.model}
			}
			features[r.feature(name)] = feature
		}
	}
	document["features"] = features
	data, err := yaml.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write the demo's configuration: %w", err)
	}
	return data, nil
}
