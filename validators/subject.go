package validators

import "errors"

// errNoTask is the error of validators that compare an answer with a task that is not there.
var errNoTask = errors.New("the answer comes without its task")

// subject is one answer under judgement. What several validators of a chain need is worked out once, when the first of
// them asks. It belongs to one goroutine.
type subject struct {
	answer *Answer
	// text is the output without a fence around it.
	text string

	parsed bool
	doc    any
	noDoc  string

	folded *source
	// schemaWork is what is left of MaxSchemaWork.
	schemaWork int
}

func newSubject(a *Answer) *subject {
	return &subject{answer: a, text: StripFences(a.Output), schemaWork: MaxSchemaWork}
}

// document is the answer's JSON: objects as map[string]any, numbers as json.Number. Where the answer is none, or breaks a
// limit, the reason says so.
func (s *subject) document() (doc any, reason string) {
	if !s.parsed {
		s.parsed = true
		if s.doc, s.noDoc = readJSON(s.text); s.noDoc != "" {
			s.noDoc = "the answer " + s.noDoc
		}
	}
	return s.doc, s.noDoc
}

// source is the folded text of the task.
func (s *subject) source() (*source, error) {
	if s.answer.Task == nil {
		return nil, errNoTask
	}
	if s.folded == nil {
		s.folded = newSource(s.answer.Task)
	}
	return s.folded, nil
}
