package task

import (
	"fmt"
	"strings"
)

// Code is the stable name of a reason to refuse, for programs; the sentence beside it is for people.
type Code string

// The codes of refusal.
const (
	CodeInvalidJSON     Code = "invalid_json"         // the body is not one JSON document
	CodeInvalidText     Code = "invalid_text"         // invalid UTF-8, a NUL character or half of a surrogate pair
	CodeInvalidNumber   Code = "invalid_number"       // a number literal that is too long or out of range
	CodeTooLarge        Code = "too_large"            // above the payload limit
	CodeTooDeep         Code = "too_deep"             // nested above the depth limit
	CodeTooManyTasks    Code = "too_many_tasks"       // an envelope above its limit
	CodeDuplicateField  Code = "duplicate_field"      // one object names a field twice
	CodeUnknownField    Code = "unknown_field"        // a field that the contract does not have
	CodeWrongType       Code = "wrong_type"           // a value of another JSON type than the field's
	CodeMissingField    Code = "missing_field"        // a needed field is absent
	CodeInvalidValue    Code = "invalid_value"        // a value outside the field's rules
	CodeAttachments     Code = "attachment_refused"   // an attachment from where, or of what, weir.yaml does not allow
	CodeInvalidSubject  Code = "invalid_subject"      // the message came on a subject that is not of the contract's form
	CodeSubjectMismatch Code = "subject_mismatch"     // the body names another tenant or feature than its subject
	CodeUnknownFeature  Code = "unknown_feature"      // weir.yaml does not define the feature
	CodeConflict        Code = "idempotency_conflict" // the id was used before, with another body
)

// maxReasons bounds the mistakes that one refusal lists, so that a hostile body cannot make a large answer.
const maxReasons = 20

// RefusedError says why a body is not accepted: every mistake found, in plain sentences. It names fields, never what the
// producer wrote into them, except for names of fields.
type RefusedError struct {
	// Code is the code of the first mistake.
	Code Code
	// Reasons are the mistakes, at least one.
	Reasons []string
}

// Error is all reasons in one line.
func (e *RefusedError) Error() string { return strings.Join(e.Reasons, "; ") }

// Refuse makes the error of one mistake.
func Refuse(code Code, format string, args ...any) *RefusedError {
	return &RefusedError{Code: code, Reasons: []string{fmt.Sprintf(format, args...)}}
}

// mistakes collects what is wrong with one body. The zero value is ready.
type mistakes struct {
	code    Code
	reasons []string
}

func (m *mistakes) add(code Code, format string, args ...any) {
	switch {
	case len(m.reasons) == 0:
		m.code = code
	case len(m.reasons) == maxReasons:
		m.reasons = append(m.reasons, "and more")
	}
	if len(m.reasons) < maxReasons {
		m.reasons = append(m.reasons, fmt.Sprintf(format, args...))
	}
}

// err is a *RefusedError, or nil when nothing is wrong.
func (m *mistakes) err() error {
	if len(m.reasons) == 0 {
		return nil
	}
	return &RefusedError{Code: m.code, Reasons: m.reasons}
}
