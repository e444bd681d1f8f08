package cascade

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Policy is how the tasks of a call path are worked: models that vote, and stages behind them. With voters, the first
// value that enough of them give is the answer, and where none can be, the stages take over; their first valid answer
// stands, and the last one's in any case. Without voters it is a cascade, and with one stage a single model.
type Policy struct {
	// Voters are asked one after another, as long as they can still agree. None of them is one of Stages.
	Voters []string `json:"voters,omitempty"`
	// Need is how many voters must give the same canonical answer: 2 at least, where there are voters.
	Need int `json:"need,omitempty"`
	// Trust are the values on which an agreement counts; empty means all. Two models that both like to answer A agree on it
	// for no reason.
	Trust []string `json:"trust,omitempty"`
	// Stages are the cascade. There is always one.
	Stages []string `json:"stages"`
}

// Models are all models of a policy in the order in which they may be asked.
func (p Policy) Models() []string { return slices.Concat(p.Voters, p.Stages) }

// String is the policy as ParsePolicy reads it.
func (p Policy) String() string {
	stages := strings.Join(p.Stages, ">")
	if len(p.Voters) == 0 {
		if len(p.Stages) == 1 {
			return "single:" + stages
		}
		return "cascade:" + stages
	}
	var b strings.Builder
	b.WriteString("agreement:")
	if p.Need != len(p.Voters) {
		b.WriteString(strconv.Itoa(p.Need) + ":")
	}
	b.WriteString(strings.Join(p.Voters, "+"))
	if len(p.Trust) > 0 {
		b.WriteString("@" + strings.Join(p.Trust, "|"))
	}
	return b.String() + ">" + stages
}

// Next is what follows from the replies so far.
type Next struct {
	// Ask is the place in Models of the model to ask; -1 when the policy is through.
	Ask int
	// Stands is the place of the model whose reply is the answer; -1 as long as there is none.
	Stands int
}

// Next says what to do. Votes are the replies of the voters that were asked, staged those of the stages, each in their order.
func (p Policy) Next(votes, staged []Reply) Next {
	if len(staged) == 0 && len(p.Voters) > 0 {
		if at := p.Agreed(votes); at >= 0 {
			return Next{Ask: -1, Stands: at}
		}
		if p.Open(votes) {
			return Next{Ask: len(votes), Stands: -1}
		}
	}
	last := len(staged) - 1
	if last >= 0 && (staged[last].Valid || len(staged) == len(p.Stages)) {
		return Next{Ask: -1, Stands: len(p.Voters) + last}
	}
	return Next{Ask: len(p.Voters) + len(staged), Stands: -1}
}

// maxModels is the most models of a policy.
const maxModels = 8

// ParsePolicy reads single:m, cascade:m>n>o, agreement:m+n>o, where all voters must agree, agreement:2:m+n+o>p, where two of
// three must, and agreement:m+n@A|B>o, where they must on one of the values. The error says what is wrong.
func ParsePolicy(text string) (Policy, error) {
	kind, rest, _ := strings.Cut(text, ":")
	var p Policy
	switch kind {
	case "single":
		p.Stages = []string{rest}
	case "cascade":
		p.Stages = strings.Split(rest, ">")
	case "agreement":
		parts := strings.Split(rest, ">")
		voters := parts[0]
		p.Stages = parts[1:]
		count, names, counted := strings.Cut(voters, ":")
		if need, err := strconv.Atoi(count); counted && err == nil {
			p.Need, voters = need, names
		}
		voters, trust, trusted := strings.Cut(voters, "@")
		if trusted {
			p.Trust = strings.Split(trust, "|")
		}
		p.Voters = strings.Split(voters, "+")
		if p.Need == 0 {
			p.Need = len(p.Voters)
		}
	default:
		return Policy{}, fmt.Errorf("policy %q begins with none of single:, cascade: and agreement:, which there are", text)
	}
	if err := p.Check(); err != nil {
		return Policy{}, fmt.Errorf("policy %q: %w", text, err)
	}
	return p, nil
}

// Check says what is wrong with a policy; nil when nothing is.
func (p Policy) Check() error {
	models := p.Models()
	named := slices.Clone(models)
	slices.Sort(named)
	switch {
	case len(p.Stages) == 0:
		return errors.New("it has no model behind the vote")
	case len(models) > maxModels:
		return fmt.Errorf("it has more than %d models", maxModels)
	case slices.Contains(models, ""):
		return errors.New("a model has no name")
	case len(slices.Compact(named)) < len(models):
		return errors.New("it names a model twice")
	case len(p.Voters) > 0 && (p.Need < 2 || p.Need > len(p.Voters)):
		return fmt.Errorf("%d of %d voters cannot be what is needed; from 2 to all can", p.Need, len(p.Voters))
	case len(p.Voters) == 0 && (p.Need != 0 || len(p.Trust) > 0):
		return errors.New("it says how a vote is counted and has no voters")
	}
	return nil
}
