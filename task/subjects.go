package task

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// The streams of weir, one for each kind of subject.
const (
	StreamTasks    = "WEIR_TASKS"    // holds weir.tasks.*.*
	StreamResults  = "WEIR_RESULTS"  // holds weir.results.*.*
	StreamOutcomes = "WEIR_OUTCOMES" // holds weir.outcomes.*.*
)

// Kind is what the messages of a subject are.
type Kind string

// The kinds, as they stand in a subject.
const (
	KindTasks    Kind = "tasks"
	KindResults  Kind = "results"
	KindOutcomes Kind = "outcomes"
)

// MaxTokenChars is the longest tenant or feature.
const MaxTokenChars = 64

const (
	subjectRoot   = "weir"
	subjectTokens = 4
	msgIDBytes    = 16 // of the body's SHA-256: enough to tell the bodies of one id apart
)

// Stream is the stream that holds the kind's messages.
func (k Kind) Stream() string {
	switch k {
	case KindTasks:
		return StreamTasks
	case KindResults:
		return StreamResults
	case KindOutcomes:
		return StreamOutcomes
	}
	return ""
}

// Subjects is the pattern of all subjects of the kind.
func (k Kind) Subjects() string { return k.Subject("*", "*") }

// Subject is the kind's subject of a tenant and feature; either may be the wildcard * to subscribe with.
func (k Kind) Subject(tenant, feature string) string {
	return subjectRoot + "." + string(k) + "." + tenant + "." + feature
}

// Subject is where the tasks of a feature are published.
func Subject(tenant, feature string) string { return KindTasks.Subject(tenant, feature) }

// ResultSubject is where the results of a feature are delivered.
func ResultSubject(tenant, feature string) string { return KindResults.Subject(tenant, feature) }

// OutcomeSubject is where the outcomes of a feature are reported.
func OutcomeSubject(tenant, feature string) string { return KindOutcomes.Subject(tenant, feature) }

// ParseSubject takes a subject apart. A subject of another form, or with a tenant or feature that is not a token, is a
// *RefusedError with CodeInvalidSubject.
func ParseSubject(subject string) (kind Kind, tenant, feature string, err error) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != subjectTokens || tokens[0] != subjectRoot || Kind(tokens[1]).Stream() == "" {
		return "", "", "", Refuse(CodeInvalidSubject,
			"the subject is not weir.tasks.<tenant>.<feature>, nor one of weir.results or weir.outcomes")
	}
	kind, tenant, feature = Kind(tokens[1]), tokens[2], tokens[3]
	if err := CheckAddress(tenant, feature); err != nil {
		return "", "", "", Refuse(CodeInvalidSubject, "the subject's %s", err)
	}
	return kind, tenant, feature, nil
}

// CheckAddress tells whether a tenant and a feature can be part of a subject: 1 to 64 letters (A to Z), digits, - and _.
func CheckAddress(tenant, feature string) error {
	if err := checkToken("tenant", tenant); err != nil {
		return err
	}
	return checkToken("feature", feature)
}

func checkToken(what, token string) error {
	if validToken(token, MaxTokenChars) {
		return nil
	}
	return fmt.Errorf("%s must be 1 to %d letters, digits, - or _", what, MaxTokenChars)
}

func validToken(token string, limit int) bool {
	for _, c := range []byte(token) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return token != "" && len(token) <= limit
}

// MsgID is the Nats-Msg-Id of weir's own producers: <tenant>:<id>:<hash of the body>. JetStream drops a message whose id
// it has just seen whatever its body, so the body is a part: another body under the same id must reach ingest to be
// refused there.
func MsgID(tenant, id string, body []byte) string {
	sum := sha256.Sum256(body)
	return tenant + ":" + id + ":" + hex.EncodeToString(sum[:msgIDBytes])
}
