package audit

import (
	"fmt"
	"strings"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/task"
)

const (
	// systemBytes is how much of a system prompt the classifier sees: what is asked for stands first, and its length says
	// nothing of a task.
	systemBytes = 512
	// shortAnswer is the median answer, in tokens, up to which a call path is taken for mechanical when nothing else tells: a
	// label, some fields, a line.
	shortAnswer = 100
	// agentCalls are the calls for one piece of work from which on a path that offers tools is taken for an agent.
	agentCalls = 5
)

// class is the class of a call path, and why. Prompts tell most; where the log has none, the shape of the calls does. What is
// not known gets the safe class.
func (p *path) class(by classifier.Classifier) (task.Class, string) {
	if class, why := p.classByText(by); class != "" {
		return class, why
	}
	return p.classByShape()
}

// classByText asks the classifier about the sampled prompts. More than half of those that it is sure of have to agree.
func (p *path) classByText(by classifier.Classifier) (task.Class, string) {
	type source struct {
		class task.Class
		by    string
	}
	votes, sources, sure := map[task.Class]int{}, map[source]int{}, 0
	for _, s := range p.samples {
		t := &task.Task{Input: s.prompt}
		if s.system != "" {
			t.Messages = []task.Message{{Role: "system", Content: s.system[:min(len(s.system), systemBytes)]}}
		}
		d, err := by.Classify(classifier.Subject{Task: t, Feature: catalog.Feature{}})
		if err != nil || d.Source == classifier.SourceDefault {
			continue
		}
		sure++
		votes[d.Class]++
		sources[source{d.Class, strings.TrimSpace(d.Source + " " + d.Rule)}]++
	}
	for _, class := range []task.Class{task.L3, task.L2, task.L1} {
		if 2*votes[class] <= sure || 2*sure <= len(p.samples) {
			continue
		}
		var best source
		for s, n := range sources {
			if s.class == class && (best.by == "" || n > sources[best] || n == sources[best] && s.by < best.by) {
				best = s
			}
		}
		return class, fmt.Sprintf("%d of %d prompts looked at, most by %s", votes[class], len(p.samples), best.by)
	}
	return "", ""
}

// classByShape goes by tools, schemas and lengths.
func (p *path) classByShape() (task.Class, string) {
	median, works := p.outputs.quantile(0.5), p.tasks.count()
	switch {
	case 2*p.tools > p.calls && works > 0 && p.withTask/works >= agentCalls:
		return task.L3, fmt.Sprintf("tools and %d calls for one piece of work: an agent", p.withTask/works)
	case p.outputs.n > 0 && median <= shortAnswer:
		return task.L1, fmt.Sprintf("short answers, %d tokens at the median", median)
	case 2*p.schema > p.calls:
		return task.L1, "answers by a schema"
	case p.outputs.n == 0:
		return task.L2, "nothing is known of its calls: the safe class"
	}
	return task.L2, fmt.Sprintf("answers of %d tokens at the median, and no more is known: the safe class", median)
}
