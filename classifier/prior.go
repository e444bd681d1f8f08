package classifier

import (
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

const (
	// PriorTries is how many answers of a tier have to be known before they tell anything of a call path.
	PriorTries = 50
	// PriorPass is the share of accepted answers from which on a tier is the one to begin with. Below one half it is one
	// to be passed over; between the two the call path is mixed, and the text has to tell.
	PriorPass = 0.8
	priorFail = 0.5
)

// CallPath is where tasks come from: prompts of one template, mostly.
type CallPath struct{ Tenant, Feature, CallPath string }

// Passed is how the answers of a tier's models to tasks of a call path went.
type Passed struct {
	CallPath

	Tier catalog.Tier
	// First says that they were asked before any other model had failed the task.
	First    bool
	Tried    int64
	Accepted int64
}

// Prior is the way by experience: the cheapest tier whose answers were accepted often enough, for call paths that have been
// seen often enough. It goes by a snapshot and never changes.
type Prior struct {
	snapshot string
	paths    map[CallPath]Probabilities
	sure     map[CallPath]task.Class
}

// NewPrior makes a prior of a snapshot's rows; several rows of one tier add up.
func NewPrior(snapshot string, rows []Passed) *Prior {
	type tally struct{ tried, accepted [2]int64 } // of mini and mid
	tallies := map[CallPath]tally{}
	for _, row := range rows {
		i := 0
		switch row.Tier {
		case catalog.Mini:
			if !row.First {
				continue // of what others failed it tells nothing about the rest
			}
		case catalog.Mid:
			i = 1 // what mini has failed is just what it is for
		case catalog.Flagship:
			continue // the dearest is left when the others do not do
		}
		t := tallies[row.CallPath]
		t.tried[i] += row.Tried
		t.accepted[i] += row.Accepted
		tallies[row.CallPath] = t
	}
	p := &Prior{snapshot: snapshot, paths: map[CallPath]Probabilities{}, sure: map[CallPath]task.Class{}}
	for path, t := range tallies {
		mini, mid := passRate(t.tried[0], t.accepted[0]), passRate(t.tried[1], t.accepted[1])
		if t.tried[0] < PriorTries && t.tried[1] < PriorTries {
			continue
		}
		p.paths[path] = Probabilities{mini, (1 - mini) * mid, (1 - mini) * (1 - mid)}
		if class := entry(t.tried, mini, mid); class != "" {
			p.sure[path] = class
		}
	}
	return p
}

// passRate is the mean of the Beta distribution that a uniform one becomes by the answers: a half for none.
func passRate(tried, accepted int64) float64 { return float64(accepted+1) / float64(tried+2) }

// entry is the class to begin with, empty where the answers do not tell.
func entry(tried [2]int64, mini, mid float64) task.Class {
	if tried[0] >= PriorTries && mini >= PriorPass {
		return task.L1
	}
	if tried[0] < PriorTries || mini >= priorFail {
		return ""
	}
	switch {
	case tried[1] >= PriorTries && mid >= PriorPass:
		return task.L2
	case tried[1] >= PriorTries && mid < priorFail:
		return task.L3
	}
	return ""
}

// Len is how many call paths it decides.
func (p *Prior) Len() int { return len(p.sure) }

// Decide implements Way. The confidence is the probability of the class that it gives.
func (p *Prior) Decide(s Subject) (Decision, bool) {
	path := CallPath{Tenant: s.Task.Tenant, Feature: s.Task.Feature, CallPath: s.Task.CallPath}
	probabilities, ok := p.paths[path]
	if !ok {
		return Decision{}, false
	}
	d := Decision{Source: SourcePrior, Probabilities: &probabilities, Learned: p.snapshot}
	class, sure := p.sure[path]
	if !sure {
		return d, false
	}
	d.Class = class
	switch class {
	case task.L1:
		d.Confidence = probabilities[0]
	case task.L2:
		d.Confidence = probabilities[1]
	case task.L3:
		d.Confidence = probabilities[2]
	}
	return d, true
}
