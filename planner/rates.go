package planner

import (
	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// LeastTries is how many answers of a model have to be known, in tasks of the class, before plans go by pass rates, and
	// how many on a call path before its own mean costs stand for those by the price book.
	LeastTries = 50
	// rateWeight is how many answers the class's pass rate counts as on each call path: a few lucky ones decide nothing.
	rateWeight = 30
)

// Rates are the pass rates of one snapshot. They never change.
type Rates struct {
	snapshot string
	paths    map[rateKey]tries
}

// rateKey is a call path, or with an empty feature all tasks of a class.
type rateKey struct {
	tenant, feature, callPath string
	class                     task.Class
	model                     string
	first, voting             bool
}

// class is the key of all tasks of the class.
func (k rateKey) all() rateKey {
	return rateKey{class: k.class, model: k.model, first: k.first, voting: k.voting}
}

type tries struct {
	tried, accepted, priced int64
	cost                    float64 // of those that are priced, together
}

func (t tries) plus(u tries) tries {
	return tries{t.tried + u.tried, t.accepted + u.accepted, t.priced + u.priced, t.cost + u.cost}
}

// NewRates takes over a snapshot's rows.
func NewRates(snapshot string, rows []store.PassRate) *Rates {
	r := &Rates{snapshot: snapshot, paths: make(map[rateKey]tries, 2*len(rows))}
	for _, row := range rows {
		own := rateKey{row.Tenant, row.Feature, row.CallPath, row.Class, row.Model, row.AskedFirst, row.Voting}
		t := tries{tried: row.Tried, accepted: row.Accepted, priced: row.Priced}
		if row.Cost != nil {
			t.cost = float64(*row.Cost) * float64(row.Priced)
		}
		r.paths[own] = r.paths[own].plus(t)
		r.paths[own.all()] = r.paths[own.all()].plus(t)
	}
	return r
}

// UseRates takes over pass rates for every task from now on; nil plans without.
func (p *Planner) UseRates(r *Rates) { p.rates.Store(r) }

// pass is the expected pass rate of a model: the call path's own, pulled towards all of the class's. Where a model was
// never asked first, what it does with others' failures stands for it, and the other way round. False: too little is known.
func (r *Rates) pass(path rateKey) (float64, bool) {
	all, known := r.either(path.all())
	if !known || all.tried < LeastTries {
		return 0, false
	}
	own, _ := r.either(path)
	return pulled(own.accepted, own.tried, float64(all.accepted+1)/float64(all.tried+2)), true
}

// pulled is a share of a call path, pulled towards that of the class.
func pulled(some, of int64, class float64) float64 {
	return (float64(some) + rateWeight*class) / (float64(of) + rateWeight)
}

func (r *Rates) either(key rateKey) (tries, bool) {
	if t, ok := r.paths[key]; ok {
		return t, true
	}
	key.first = !key.first
	t, ok := r.paths[key]
	return t, ok
}

// both counts a model whichever place it was asked in.
func (r *Rates) both(key rateKey) tries {
	other := key
	other.first = !key.first
	return r.paths[key].plus(r.paths[other])
}

// costs are the mean costs that calls have had on the call path: what caches took off and how long answers really are is in
// them. False where one of the models has too few.
func (r *Rates) costs(path rateKey, models []string) (map[string]float64, bool) {
	means := make(map[string]float64, len(models))
	for _, model := range models {
		path.model = model
		path.voting = false
		t := r.both(path)
		path.voting = true
		if t = t.plus(r.both(path)); t.priced < LeastTries {
			return nil, false
		}
		means[model] = t.cost / float64(t.priced)
	}
	return means, true
}

// vote is what a vote of the models before the last comes to on the call path, by the tasks that had one: each model is
// asked in the share of tasks in which it was. False: too little is known.
func (r *Rates) vote(path rateKey, models []string, cost map[string]float64) (cascade.Expectation, bool) {
	path.voting, path.first = true, true
	path.model = models[0]
	own, all := r.paths[path], r.paths[path.all()]
	if all.tried < LeastTries {
		return cascade.Expectation{}, false
	}
	var e cascade.Expectation
	var ownAccepted, allAccepted int64
	for _, model := range models {
		path.model = model
		o, a := r.both(path), r.both(path.all())
		ownAccepted += o.accepted
		allAccepted += a.accepted
		e.Cost += cost[model] * min(1, pulled(o.tried, own.tried, float64(a.tried)/float64(all.tried)))
	}
	e.Pass = min(1, pulled(ownAccepted, own.tried, float64(allAccepted+1)/float64(all.tried+2)))
	return e, true
}
