package worker

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
)

// maxRamp bounds the doublings of a ramp: it is over long before.
const maxRamp = 20

// shutGates are the gates of a dispatch round.
type shutGates struct {
	catalog *catalog.Catalog
	step    time.Duration // of a ramp
	gates   map[store.GateKey]store.Gate
}

// ramp reads the gates and closes those whose model has come back for good.
func (d *dispatcher) ramp(ctx context.Context, tx pgx.Tx) (shutGates, error) {
	shut := shutGates{catalog: d.catalog, step: d.timing.Ramp, gates: map[store.GateKey]store.Gate{}}
	gates, err := store.Gates(ctx, tx)
	if err != nil {
		return shut, err
	}
	var healed []store.GateKey
	for _, g := range gates {
		if g.State == store.GateRamping && g.Ramped >= d.rampTime() {
			healed = append(healed, g.GateKey)
			continue
		}
		shut.gates[g.GateKey] = g
	}
	return shut, store.CloseGates(ctx, tx, healed)
}

// rampTime is how long doubling takes to come to the largest window.
func (d *dispatcher) rampTime() time.Duration {
	window := 1
	for model := range d.catalog.Models {
		window = max(window, d.window(model))
	}
	return time.Duration(math.Ceil(math.Log2(float64(window)))) * d.timing.Ramp
}

// of are the gates that stand in a line's way.
func (s shutGates) of(line store.Line) []store.Gate {
	var found []store.Gate
	for _, key := range []store.GateKey{
		{Scope: store.ScopeProvider, Name: s.catalog.Models[line.Model].Provider},
		{Scope: store.ScopeModel, Name: line.Model},
		{Scope: store.ScopeFeature, Name: line.Feature},
	} {
		if g, ok := s.gates[key]; ok && g.Shut() {
			found = append(found, g)
		}
	}
	return found
}

func (s shutGates) shuts(line store.Line) bool { return len(s.of(line)) > 0 }

// most is how many tasks of a model may be released while it ramps up: 1, 2, 4 and so on.
func (s shutGates) most(model string) int {
	most := math.MaxInt
	for _, key := range []store.GateKey{
		{Scope: store.ScopeProvider, Name: s.catalog.Models[model].Provider}, {Scope: store.ScopeModel, Name: model},
	} {
		if g, ok := s.gates[key]; ok && g.State == store.GateRamping {
			most = min(most, 1<<min(maxRamp, g.Ramped/max(1, s.step)))
		}
	}
	return most
}

// probes releases one task for each gate that is due to be tried, where all that stands in the task's way is due. Rounds
// come one at a time, so the fleet has one probe.
func (d *dispatcher) probes(ctx context.Context, tx pgx.Tx, lines []store.Line, shut shutGates) ([]store.Bundle, error) {
	var bundles []store.Bundle
	for _, line := range lines {
		model, known := d.catalog.Models[line.Model]
		due := keysDue(shut.of(line))
		if !known || len(due) == 0 {
			continue
		}
		first, err := store.Candidates(ctx, tx, line, 1)
		if err != nil {
			return nil, err
		}
		if len(first) == 0 {
			continue
		}
		probe := store.Bundle{
			ID: newID(), Feature: first[0].Feature, Provider: model.Provider, Model: line.Model, Stage: first[0].Stage,
			Lane: first[0].Lane, Probe: true,
		}
		probe.TaskIDs = append(probe.TaskIDs, first[0].ID)
		if err := store.StartProbe(ctx, tx, probe.ID, due, longestCall(d.catalog)+d.timing.Lease); err != nil {
			return nil, err
		}
		bundles = append(bundles, probe)
		for _, key := range due { // one probe is enough
			g := shut.gates[key]
			g.State, g.Left = store.GateProbing, longestCall(d.catalog)
			shut.gates[key] = g
		}
	}
	return bundles, nil
}

// keysDue are the gates when all of them are due, and none otherwise.
func keysDue(gates []store.Gate) []store.GateKey {
	keys := make([]store.GateKey, 0, len(gates))
	for _, g := range gates {
		if !g.Due() {
			return nil
		}
		keys = append(keys, g.GateKey)
	}
	return keys
}
