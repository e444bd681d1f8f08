package sim

import (
	"net/http"
	"time"

	"github.com/weirhq/weir/task"
)

// wire is one provider's format.
type wire interface {
	// name is what the ledger calls the format.
	name() string
	// parse reads a request.
	parse(body []byte, header http.Header) (*question, *problem)
	// reply encodes an answer.
	reply(r *reply) []byte
	// failure encodes a problem and says with which status it is sent.
	failure(p *problem, requestID string) (body []byte, status int)
	// headers sets the request's id and the state of the rate limit; a limit of 0 is none.
	headers(h http.Header, requestID string, limit limitState)
}

// reply is an answer with all that is written around it.
type reply struct {
	id      string
	model   string
	created time.Time
	answer  answer
	// vectors are the answer of a model for embeddings.
	vectors [][]float32
	usage   task.Usage
	// cachedImages is how many of the tokens read from the cache are those of images.
	cachedImages int64
	tier         string
	// batched says that the answer is a line of a batch, which some formats name as its tier.
	batched   bool
	unmetered bool
	// cost is what the provider says that it bills, nil when it does not say.
	cost *task.Pico
}

// stop is why a model stopped.
type stop int

const (
	stopEnd stop = iota
	stopTools
	stopLength
	stopRefusal
)

// answer is what a model says.
type answer struct {
	text string
	// call is the function that the model calls instead of saying anything.
	call      string
	arguments string
	stop      stop
	// reasoning is how many tokens the model thought before it spoke.
	reasoning int
	// played is what kind of answer it is, for the ledger.
	played Played
}

// Played is what a simulated model did with a task.
type Played string

// The kinds of answers.
const (
	PlayedRight     Played = "right"     // as good as the model can
	PlayedWrong     Played = "wrong"     // wrong in a way that only a person notices
	PlayedOff       Played = "off"       // wrong in a way that a check can notice
	PlayedMalformed Played = "malformed" // not in the form that was asked for
	PlayedTruncated Played = "truncated" // cut off
	PlayedRefused   Played = "refused"   // a refusal
	PlayedRecorded  Played = "recorded"  // what a real model said once
)
