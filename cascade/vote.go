package cascade

import (
	"fmt"
	"slices"
)

// Vote is where a task whose stages vote stands: all but its last stage do, and the last one's valid answer needs nobody to
// agree with it.
type Vote struct {
	// Need is how many models must give the same answer; 0 means that there is no vote.
	Need int
	// Stages are those of the plan, Stage is the one that was asked last, from 0.
	Stages, Stage int
	// Cast are the valid answers so far, in their order.
	Cast []Cast
}

// Cast is a valid answer in canonical form.
type Cast struct {
	Stage int    `json:"stage"`
	Model string `json:"model"`
	Value string `json:"value"`
}

// Held reports whether the stage's answer is put to the vote.
func (v Vote) Held() bool { return v.Need > 0 && v.Stage < v.Stages-1 }

// Agreed reports whether enough models have given the same answer.
func (v Vote) Agreed() bool { return v.policy().Agreed(v.replies()) >= 0 }

// Skip is how many of the next stages need not be asked: all voters that are left where they can settle nothing any more.
func (v Vote) Skip() int {
	if !v.Held() || v.policy().Open(v.replies()) {
		return 0
	}
	return v.Stages - 2 - v.Stage
}

// Backers are the models that have given an answer, in their order.
func (v Vote) Backers(value string) []string {
	var models []string
	for _, c := range v.Cast {
		if c.Value == value && !slices.Contains(models, c.Model) {
			models = append(models, c.Model)
		}
	}
	return models
}

func (v Vote) policy() Policy { return Policy{Voters: make([]string, v.Stages-1), Need: v.Need} }

// replies are those of the stages that were asked. A model that stood in for two of them has one vote.
func (v Vote) replies() []Reply {
	replies := make([]Reply, v.Stage+1)
	var models []string
	for _, c := range v.Cast {
		if c.Stage < len(replies) && !slices.Contains(models, c.Model) {
			models = append(models, c.Model)
			replies[c.Stage] = Reply{Valid: true, Value: c.Value}
		}
	}
	return replies
}

// Voting is the plan with a vote of its stages before the last. Where fewer are left than have to agree, nobody could back
// their answers, and the last stage is asked alone.
func (p Plan) Voting(need int) Plan {
	voters := len(p.Stages) - 1
	switch {
	case need == 0 || voters <= 0:
		return p
	case voters >= need:
		p.Agree, p.Policy = need, fmt.Sprintf("agreement of %d", need)
		return p
	}
	out := make(map[string]string, voters)
	for _, stage := range p.Stages[:voters] {
		out[stage.Model] = "too few models are left to agree with it"
	}
	return p.Without("no agreement", out)
}
