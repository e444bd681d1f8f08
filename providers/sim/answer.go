package sim

import (
	"slices"
	"strings"
	"sync"

	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/providers/sim/dice"
)

const (
	// slope is how far a difficulty has to be below a model's skill until no answer is wrong for it, and above until all
	// are.
	slope = 550
	// formShare is the share of answers beyond a model's skill, in thousandths, that are already wrong in form.
	formShare = 300
)

// failures is the share of tasks of a difficulty that are beyond a skill, in thousandths.
func failures(skill, difficulty int) int {
	return max(0, min(wholeShare, wholeShare/2+(difficulty-skill)*wholeShare/2/slope))
}

// player makes answers. It is safe for concurrent use.
type player struct {
	seed    uint64
	counter counter
	solver  *backlog.Solver
	mu      sync.Mutex
	// known are the prompts' stable parts that were read before.
	known map[uint64]*setting
}

// maxKnown bounds how many are remembered.
const maxKnown = 256

// setting is what the stable part of a prompt asks for.
type setting struct {
	labels []string
	schema *schema
}

func newPlayer(seed uint64, c counter) *player {
	return &player{seed: seed, counter: c, solver: backlog.NewSolver(), known: map[uint64]*setting{}}
}

// settingOf reads the stable part of a prompt once.
func (p *player) settingOf(q *question) *setting {
	key := dice.Hash(dice.Hash(p.seed, q.system), q.schema)
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.known[key]; known != nil {
		return known
	}
	if len(p.known) >= maxKnown {
		clear(p.known)
	}
	s := &setting{}
	if len(q.schema) > 0 {
		s.schema = newSchema(q.schema)
	} else {
		s.labels = labelsIn(q.system)
	}
	p.known[key] = s
	return s
}

// play answers a question as a model of a profile does. The answer follows from the seed, the model and the prompt.
func (p *player) play(q *question, m *model, d *dice.Dice) answer {
	if d.Hits(m.Refuse) {
		return answer{text: "I cannot help with this request.", stop: stopRefusal, played: PlayedRefused}
	}
	a := p.content(q, m, d)
	if d.Hits(m.Truncate) {
		a = truncated(a)
	}
	if d.Hits(q.thinks(m.Reasoning)) {
		a.reasoning = q.thought(reasoningStep * min(1+d.Below(8), max(1, q.maxTokens/2/reasoningStep)))
	}
	return p.limit(a, q.maxTokens)
}

// thinks is the share of answers that are preceded by reasoning, as the question wants it: all with a budget, none at all
// without effort.
func (q *question) thinks(usual int) int {
	switch {
	case q.effort == "none":
		return 0
	case q.thinking > 0:
		return wholeShare
	}
	return usual
}

// thought is how long the model thinks, as the question wants it: half or twice as long as usual, and within its budget.
func (q *question) thought(usual int) int {
	switch strings.ToLower(q.effort) {
	case "minimal", "low":
		usual = max(1, usual/2)
	case "high", "xhigh", "max":
		usual *= 2
	}
	if q.thinking > 0 {
		usual = min(usual, q.thinking)
	}
	return usual
}

// reasoningStep is the grid on which reasoning is billed.
const reasoningStep = 64

// truncated is the first half of an answer.
func truncated(a answer) answer {
	if a.call != "" {
		return a
	}
	a.text, a.stop, a.played = wholeRunes(a.text[:len(a.text)/2]), stopLength, PlayedTruncated
	return a
}

// limit cuts an answer to the tokens that are allowed.
func (p *player) limit(a answer, most int) answer {
	if a.reasoning >= most {
		return answer{stop: stopLength, reasoning: most, played: PlayedTruncated}
	}
	most -= a.reasoning
	if a.call != "" || len(a.text) <= most || p.counter.count(a.text) <= most { // no token is shorter than a byte
		return a
	}
	a.text, a.stop, a.played = p.counter.cut(a.text, most), stopLength, PlayedTruncated
	return a
}

// content is the answer before anything is cut off.
func (p *player) content(q *question, m *model, d *dice.Dice) answer {
	if len(q.tools) > 0 && len(q.schema) == 0 {
		return callTool(q, d)
	}
	if feature, ok := backlog.FeatureOf(q.system); ok {
		for _, text := range slices.Backward(q.users) {
			if solution, ok := p.solver.SolveFeature(feature, text); ok {
				return solve(solution, m, d)
			}
		}
	}
	return p.improvise(q, m, d)
}

// callTool calls one of the functions that are offered.
func callTool(q *question, d *dice.Dice) answer {
	t := dice.Pick(d, q.tools)
	arguments := "{}"
	if len(t.schema) > 0 {
		if value, _ := newSchema(t.schema).value(d, false, q.last()); strings.HasPrefix(value, "{") {
			arguments = value
		}
	}
	return answer{call: t.name, arguments: arguments, stop: stopTools, played: PlayedRight}
}

// played decides how a model fares with a task of a difficulty.
func played(m *model, difficulty int, d *dice.Dice) Played {
	switch {
	case d.Hits(m.Malformed):
		return PlayedMalformed
	case d.Hits(m.Wrong):
	case !d.Hits(failures(m.Skill, difficulty)):
		return PlayedRight
	case d.Hits(formShare):
		return PlayedMalformed
	}
	if d.Hits(m.OffEnum) {
		return PlayedOff
	}
	return PlayedWrong
}

// solve answers one of the backlog's documents.
func solve(s backlog.Solution, m *model, d *dice.Dice) answer {
	a := answer{text: s.Answer, played: played(m, s.Difficulty, d)}
	switch a.played {
	case PlayedMalformed:
		a.text = malformed(d, a.text)
	case PlayedOff:
		a.text = s.Wrong(d, true)
	case PlayedWrong:
		a.text = s.Wrong(d, false)
	case PlayedRight, PlayedTruncated, PlayedRefused, PlayedRecorded:
	}
	return a
}

// improvise answers a prompt that nothing is known about: a value for its schema, one of its labels, or a few words. It
// is not hard for any model. Wrong in a way that only a person notices cannot be told from right here.
func (p *player) improvise(q *question, m *model, d *dice.Dice) answer {
	s := p.settingOf(q)
	a := answer{played: played(m, 0, d)}
	off := a.played == PlayedOff
	switch {
	case s.schema != nil:
		var found bool
		if a.text, found = s.schema.value(d, off, q.last()); off && !found {
			a.played = PlayedMalformed // no set to miss
		}
	case len(s.labels) > 0:
		if a.text = dice.Pick(d, s.labels); off {
			a.text = offLabel(d, a.text)
		}
	default:
		a.text = paragraph(d)
		return a
	}
	if a.played == PlayedMalformed {
		a.text = malformed(d, a.text)
	}
	return a
}

// malformed spoils the form of an answer, not its content.
func malformed(d *dice.Dice, text string) string {
	isObject := strings.HasPrefix(text, "{")
	switch kind := d.Below(3); {
	case kind == 0 && isObject && len(text) > 2:
		return text[:1+d.Below(len(text)-2)] // ends in the middle although the model says that it is done
	case kind == 1 && isObject:
		return strings.ReplaceAll(text, `"`, "'")
	default:
		return "Sure! Here is what I found:\n\n" + text + "\n\nLet me know if you need anything else."
	}
}

// sentence is a few words that mean nothing in particular.
func sentence(d *dice.Dice) string {
	subject := dice.Pick(d, []string{"The text", "The message", "This note", "The document", "The sender"})
	verb := dice.Pick(d, []string{"describes", "mentions", "asks about", "reports", "explains"})
	object := dice.Pick(d, []string{"an open order", "a recent change", "a small delay", "the next steps", "two earlier letters"})
	return subject + " " + verb + " " + object + "."
}

func paragraph(d *dice.Dice) string {
	sentences := make([]string, d.Between(2, 6))
	for i := range sentences {
		sentences[i] = sentence(d)
	}
	return strings.Join(sentences, " ")
}
