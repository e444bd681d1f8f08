package replay

import (
	"fmt"

	"github.com/weirhq/weir/cascade"
)

// ByTask is a plan for each task on its own: the one of whoever has not seen it.
type ByTask map[string]*Planned

// For is the policy that the task's plan has for it.
func (b ByTask) For(path, id string) cascade.Policy { return b[id].For(path, id) }

// Plans are the choosers of several bars, in their order.
type Plans []Chooser

// TrainPlans plans by one file for several bars.
func TrainPlans(r *Replay, j *Judge, bars []Bar) (Plans, error) {
	var plans Plans
	var trainer *Trainer
	for i, bar := range bars {
		if i == 0 || bar.Of != bars[i-1].Of {
			var err error
			if trainer, err = NewTrainer(r, j, bar.Of); err != nil {
				return nil, err
			}
		}
		plans = append(plans, trainer.Plan(bar.Quality))
	}
	return plans, nil
}

// outerSalt keeps the folds that are judged apart from those inside of a training file.
const outerSalt = cuts + 7

// CrossPlans plans every task of a file by the other folds alone, which choose everything: policies, strength and exchange
// rate. So one file is enough for an honest figure.
func CrossPlans(r *Replay, j *Judge, bars []Bar, folds int) (Plans, error) {
	if folds < 2 || folds > len(r.Rows) {
		return nil, fmt.Errorf("%d folds of %d rows cannot be; from 2 to one for each row can", folds, len(r.Rows))
	}
	byTask := make([]ByTask, len(bars))
	plans := make(Plans, len(bars))
	for b := range bars {
		byTask[b] = ByTask{}
		plans[b] = byTask[b]
	}
	assigned := r.folds(outerSalt, folds)
	for fold := range folds {
		rest, restJudge := r.Select(j, func(row int) bool { return assigned[row] != fold })
		trained, err := TrainPlans(rest, restJudge, bars)
		if err != nil {
			return nil, err
		}
		for i := range r.Rows {
			if assigned[i] != fold {
				continue
			}
			for b := range bars {
				planned, ok := trained[b].(*Planned)
				if !ok { // cannot happen: TrainPlans makes nothing else
					return nil, fmt.Errorf("fold %d has no plan", fold)
				}
				byTask[b][r.Rows[i].ID] = planned
			}
		}
	}
	return plans, nil
}

// Point is one bar of a sweep and what the plan for it reached.
type Point struct {
	Quality  float64 `json:"quality"`
	Accuracy float64 `json:"accuracy"`
	USD      *USD    `json:"usd_per_1000"`
	// AccuracyShare and CostShare are of what the model alone reached and cost on the same rows.
	AccuracyShare float64 `json:"accuracy_share"`
	CostShare     float64 `json:"cost_share"`
}

// Sweep runs the plan of every bar.
func Sweep(r *Replay, j *Judge, bars []Bar, plans Plans) ([]Point, error) {
	totals := totalsOf(r, j)
	points := make([]Point, 0, len(bars))
	for b, bar := range bars {
		worked, err := r.Run(plans[b])
		if err != nil {
			return nil, err
		}
		right, cost := 0.0, totalCost(worked)
		for i, w := range worked {
			right += j.Right(i, w.Model)
		}
		of := r.Model(bar.Of)
		point := Point{Quality: bar.Quality, Accuracy: right / float64(len(worked)), USD: perThousand(cost, len(worked))}
		point.AccuracyShare = right / totals.right[of]
		point.CostShare = point.USD.Float() / perThousand(totals.cost[of], len(worked)).Float()
		points = append(points, point)
	}
	return points, nil
}

// SweepBars are the bars of a sweep, from four fifths of a model's accuracy to all of it.
func SweepBars(of string) []Bar {
	const from, to = 80, 100
	var bars []Bar
	for percent := from; percent <= to; percent++ {
		bars = append(bars, Bar{Quality: float64(percent) / to, Of: of})
	}
	return bars
}
