package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
)

const (
	// awayPace is how often tasks are moved away from models that are left alone.
	awayPace = time.Second
	// awayLimit is the most tasks of a line that one move takes.
	awayLimit = 200
)

// away moves ready tasks from models that are left alone to others, as their feature lets them: without it they would
// wait although a model of equal price is free. Only as many go as the other model has room for, so that the rest is
// still there when the model comes back.
func (d *dispatcher) away(ctx context.Context, tx pgx.Tx, lines []store.Line, shut shutGates) (int64, error) {
	now := d.now()
	if now.Sub(d.moved) < awayPace {
		return 0, nil
	}
	d.moved = now
	moved := int64(0)
	for _, line := range lines {
		feature, known := d.catalog.Features[line.Feature]
		if !known || feature.WhenAway == catalog.AwayWait || !shut.modelShut(line.Model) || !d.mayMove(line, feature, shut) {
			continue
		}
		n, err := d.move(ctx, tx, line, feature, shut)
		if err != nil {
			return moved, err
		}
		moved += n
	}
	return moved, nil
}

// modelShut says that a model or its account is left alone.
func (s shutGates) modelShut(model string) bool {
	return s.shuts(store.Line{Model: model})
}

// mayMove spares the look at tasks that have nowhere to go.
func (d *dispatcher) mayMove(line store.Line, feature catalog.Feature, shut shutGates) bool {
	if feature.WhenAway == catalog.AwayEscalate {
		return true
	}
	for _, model := range d.catalog.Models[line.Model].Sideways {
		if !shut.modelShut(model) {
			return true
		}
	}
	return false
}

func (d *dispatcher) move(
	ctx context.Context, tx pgx.Tx, line store.Line, feature catalog.Feature, shut shutGates,
) (int64, error) {
	waiting, err := store.Waiting(ctx, tx, line, awayLimit)
	if err != nil {
		return 0, err
	}
	room := map[string]int{}
	var moves []store.Move
	for i := range waiting {
		w := &waiting[i]
		var stages []cascade.Stage
		if json.Unmarshal(w.Stages, &stages) != nil || w.Stage >= len(stages) {
			continue // its next attempt says so
		}
		stage, sideways, found := d.elsewhere(stages, w, feature, shut)
		if !found {
			continue
		}
		model := modelAt(stages, stage, sideways)
		if _, known := room[model]; !known {
			ready, err := store.CountReady(ctx, tx, model, d.window(model))
			if err != nil {
				return 0, err
			}
			room[model] = d.window(model) - ready
		}
		if room[model] <= 0 {
			continue
		}
		room[model]--
		moves = append(moves, store.Move{
			TaskID: w.ID, Model: model, Stage: stage, Sideways: sideways,
			ExpectedCost: d.models.ExpectedNeutral(model, w.PromptTokens, int64(w.MaxOutput)),
			Reason:       fmt.Sprintf("%s is left alone for now", line.Model),
		})
	}
	if len(moves) == 0 {
		return 0, nil
	}
	return store.MoveReady(ctx, tx, moves)
}

// elsewhere is the next model of a plan that is not left alone: of equal tier, then of the next stages where the feature
// pays for that.
func (d *dispatcher) elsewhere(
	stages []cascade.Stage, w *store.WaitingTask, feature catalog.Feature, shut shutGates,
) (stage, sideways int, found bool) {
	free := func(model string) bool {
		_, known := d.catalog.Models[model]
		return known && !shut.modelShut(model)
	}
	last := w.Stage
	if feature.WhenAway == catalog.AwayEscalate {
		last = len(stages) - 1
	}
	for stage = w.Stage; stage <= last; stage++ {
		first := 0
		if stage == w.Stage {
			first = w.Sideways + 1
		}
		for sideways = first; sideways <= len(stages[stage].Sideways); sideways++ {
			if free(modelAt(stages, stage, sideways)) {
				return stage, sideways, true
			}
		}
	}
	return 0, 0, false
}
