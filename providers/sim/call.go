package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// maxBody is the longest request that is read.
const maxBody = 32 << 20

// call is one request on its way through the provider.
type call struct {
	server *Server
	wire   wire
	w      http.ResponseWriter
	r      *http.Request

	body  []byte
	q     *question
	model *model
	entry Entry
	limit limitState
	// unbooked says that the request has no place in the ledger.
	unbooked bool
}

func (c *call) serve(ctx context.Context) {
	buf, ok := c.server.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	defer c.server.buffers.Put(buf)
	problem := c.read(buf)
	if problem == nil {
		problem = c.admit()
	}
	if problem != nil {
		c.refuse(problem, OutcomeRefused)
		return
	}
	if c.model.limit != nil {
		state, wait := c.model.limit.take(c.entry.At)
		if c.limit = state; wait > 0 {
			c.refuse(limited(wait), OutcomeRateLimited)
			return
		}
	}
	fault := c.server.faults.next(callsMet, c.q.model, c.body, c.entry.At)
	c.entry.Fault = fault
	if c.failAtOnce(fault) {
		return
	}
	c.work(ctx, fault)
}

// read takes the request in.
func (c *call) read(buf *bytes.Buffer) *problem {
	if n := c.r.ContentLength; n > 0 && n <= maxBody {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(c.r.Body, maxBody+1))
	c.body = buf.Bytes()
	c.entry = Entry{At: c.server.config.Now(), API: c.wire.name(), Labels: c.labelsOf()}
	switch {
	case err != nil:
		return invalidf("the request body cannot be read")
	case len(c.body) > maxBody:
		return &problem{kind: tooLarge, message: fmt.Sprintf("Request exceeds the maximum size of %d bytes", maxBody)}
	}
	return c.understand(c.r.Header)
}

// understand reads what the body asks for.
func (c *call) understand(header http.Header) *problem {
	q, problem := c.wire.parse(c.body, header)
	c.entry.API = c.wire.name() // where APIs share a path, the body tells whose it is
	if q != nil {
		c.q = q
		sum := sha256.Sum256([]byte(q.last()))
		c.entry.AttemptID, c.entry.Model, c.entry.PromptSHA256 = q.attempt, q.model, hex.EncodeToString(sum[:])
	}
	return problem
}

// admit refuses what the account or the model does not allow.
func (c *call) admit() *problem {
	if key := c.server.config.Key; key == "" || c.q.key != key {
		if problem := c.authorize(); problem != nil {
			return problem
		}
	}
	return c.assign()
}

// authorize refuses a request whose headers do not have the key, where one is asked for.
func (c *call) authorize() *problem {
	if key := c.server.config.Key; key != "" && !carries(c.r.Header, key) {
		return &problem{kind: unauthorized, message: "The API key is not valid"}
	}
	return nil
}

// assign finds the model that is asked for and refuses what it does not allow.
func (c *call) assign() *problem {
	if c.model = c.server.modelOf(c.q.model); c.q.embedding != nil {
		c.model = c.server.embedderOf(c.q.model)
	}
	if c.model == nil {
		return &problem{kind: unknownModel, message: "The model " + strconv.Quote(c.q.model) + " does not exist"}
	}
	return c.allowed()
}

// carries says that a request has the key where one of the APIs looks for it.
func carries(h http.Header, key string) bool {
	return h.Get("X-Api-Key") == key || h.Get("X-Goog-Api-Key") == key || h.Get("Api-Key") == key ||
		strings.TrimPrefix(h.Get("Authorization"), "Bearer ") == key ||
		strings.TrimPrefix(h.Get("Authorization"), "DeepL-Auth-Key ") == key
}

func (c *call) allowed() *problem {
	q, m := c.q, c.model
	switch {
	case q.embedding == nil && m.Embeds.Dimensions > 0:
		return invalidf("%s is a model for embeddings and does not answer", m.id)
	case q.embedding != nil && m.Embeds.Dimensions == 0:
		return invalidf("%s is no model for embeddings", m.id)
	case q.streamed:
		return invalidf("stream: the simulator does not stream")
	case m.Strict && q.sampled:
		return invalidf("temperature, top_p and top_k are not supported by %s", m.id)
	case m.Strict && q.thinking > 0:
		return invalidf("thinking: %s takes no budget", m.id)
	case m.AlwaysThinks && q.effort == "none":
		return invalidf("reasoning effort: none is not supported by %s", m.id)
	case m.Strict && q.forced:
		return invalidf("tool_choice: %s does not support forced tool use", m.id)
	case m.Strict && q.prefilled:
		return invalidf("messages: %s does not continue an assistant message", m.id)
	case q.maxTokens > m.MaxOutput:
		return invalidf("max_tokens: %d > %d, which is the most for %s", q.maxTokens, m.MaxOutput, m.id)
	}
	return nil
}

// failAtOnce answers with the faults that come instead of the model's work.
func (c *call) failAtOnce(fault Fault) bool {
	if fault == FaultHTML {
		c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		c.finishWith(http.StatusOK, []byte("<!DOCTYPE html><html><title>Gateway</title><body>Please sign in to the network.</body></html>"), OutcomeFaulted)
		return true
	}
	problem := fault.problem()
	if problem != nil {
		c.refuse(problem, OutcomeFaulted)
	}
	return problem != nil
}

// refuse answers with an error that costs nothing.
func (c *call) refuse(p *problem, outcome Outcome) {
	id := c.requestID()
	body, status := c.wire.failure(p, id)
	c.wire.headers(c.w.Header(), id, c.limit)
	if p.retryAfter > 0 && !waitsInBody(c.wire) {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.finishWith(status, body, outcome)
}

// waitsInBody says that a format names a wait in the body of an error and not in a header.
func waitsInBody(w wire) bool {
	switch w.(type) {
	case generate, batchEmbed:
		return true
	}
	return false
}

// finishWith books a request that the model never saw, then answers it.
func (c *call) finishWith(status int, body []byte, outcome Outcome) {
	c.entry.Status, c.entry.Outcome, c.entry.Finished = status, outcome, c.server.config.Now()
	if !c.unbooked {
		c.server.ledger.begin(&c.entry)
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the client has gone
}

// requestID is not the same for two requests, unlike all else.
func (c *call) requestID() string {
	return "req_" + idOf(dice.Hash(c.server.config.Seed^uint64(c.entry.At.UnixNano()), c.entry.AttemptID))
}

// work lets the model answer.
func (c *call) work(ctx context.Context, fault Fault) {
	done, latency, problem := c.think()
	if problem != nil {
		c.refuse(problem, OutcomeRefused)
		return
	}
	if fault == FaultStandard {
		done.reply.tier = ""
	}
	if c.wire.name() == (completions{}).name() {
		c.entry.Tier = tierOf(done.reply.tier)
	}
	c.entry.Usage, c.entry.Played = done.reply.usage, done.reply.answer.played
	c.entry.Began, c.entry.Outcome = c.entry.At, OutcomePending
	c.server.ledger.begin(&c.entry)
	if !c.sleep(ctx, latency) || !c.server.gate.pass(ctx, c.q.model) {
		c.finish(0, OutcomeClientGone)
		c.reset() // without it net/http would answer with status 200 and nothing else
		return
	}
	c.server.cache.keep(done.keep, c.server.config.Now())
	done.reply.unmetered = fault == FaultNoUsage || c.q.uncounted
	if bill := c.server.config.Bill; bill != nil {
		if cost, ok := bill(c.q.model, done.reply.usage, c.entry.Began); ok {
			done.reply.cost = &cost
		}
	}
	c.announce(&done.reply)
	c.deliver(ctx, fault, c.wire.reply(&done.reply))
}

// thought is an answer with its bill.
type thought struct {
	reply reply
	keep  []prefix
}

// think finds the answer and what it costs, without waiting for anything.
func (c *call) think() (thought, time.Duration, *problem) {
	if c.server.config.Recordings.has(c.q.model) {
		return c.recall()
	}
	if c.q.translation != nil {
		return c.translate()
	}
	if c.q.embedding != nil {
		return c.embed()
	}
	s := c.server
	bill := s.meter(c.q, c.model, c.wire, c.entry.At)
	if prompt := bill.usage.Prompt(); prompt > int64(c.model.MaxInput) {
		return thought{}, 0, &problem{kind: tooLong, message: "prompt is too long: " +
			strconv.FormatInt(prompt, 10) + " tokens > " + strconv.Itoa(c.model.MaxInput) + " maximum context length"}
	}
	seed := c.promptSeed()
	a := s.player.play(c.q, c.model, dice.New(seed, "answer"))
	bill.usage.Reasoning = int64(a.reasoning)
	bill.usage.Output = int64(a.reasoning + s.counter.count(a.text) + s.counter.count(a.call) + s.counter.count(a.arguments))
	done := thought{reply: c.newReply(seed, a, bill.usage), keep: bill.keep}
	done.reply.cachedImages = bill.cachedImages
	return done, c.model.Latency.draw(dice.New(seed, "latency")), nil
}

// promptSeed is a number for the model and all that it was given.
func (c *call) promptSeed() uint64 {
	seed := c.model.cacheSeed
	for _, b := range c.q.blocks {
		seed = dice.Hash(dice.Hash(seed, b.role), b.text)
		if b.file != nil {
			seed = dice.Hash(seed, b.file.digest)
		}
	}
	return seed
}

// recall answers from a recording.
func (c *call) recall() (thought, time.Duration, *problem) {
	text, problem := c.server.config.Recordings.find(c.q)
	if problem != nil {
		return thought{}, 0, problem
	}
	usage := text.usage(c.q, c.server.counter)
	a := answer{text: *text.Text, played: PlayedRecorded}
	if most := int64(c.q.maxTokens); usage.Output > most {
		usage.Output, a.stop = most, stopLength
		a.text = c.server.counter.cut(a.text, c.q.maxTokens)
	}
	return thought{reply: c.newReply(c.promptSeed(), a, usage)}, text.latency(), nil
}

func (c *call) newReply(seed uint64, a answer, usage task.Usage) reply {
	return reply{
		id: idOf(seed), model: c.model.Snapshot, created: c.entry.At, answer: a, usage: usage, tier: c.q.tier,
	}
}

// sleep waits as long as the model takes. It is false when the client has gone or the server closes.
func (c *call) sleep(ctx context.Context, latency time.Duration) bool {
	latency /= time.Duration(c.server.config.Speed)
	if c.server.config.Instant || latency <= 0 {
		return true
	}
	return c.wait(ctx, latency)
}

func (c *call) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.server.done:
	}
	return false
}

// deliver sends the answer, or does to it what the fault says.
func (c *call) deliver(ctx context.Context, fault Fault, body []byte) {
	outcome := OutcomeAnswered
	if fault != "" {
		outcome = OutcomeFaulted
	}
	if fault == FaultTimeout {
		select {
		case <-ctx.Done():
		case <-c.server.done:
		}
	}
	if fault == FaultTimeout || fault == FaultReset {
		c.finish(0, outcome)
		c.reset()
		return
	}
	id := c.requestID()
	header := c.w.Header()
	c.wire.headers(header, id, c.limit)
	header["Content-Type"] = []string{"application/json"}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	if fault == FaultTruncated {
		body = body[:len(body)/2] // the server closes the connection because of what is missing
	}
	// It is booked before it is sent: who has the answer finds it in the ledger.
	c.finish(http.StatusOK, outcome)
	if fault == FaultDrip {
		c.drip(ctx, body)
		return
	}
	_, _ = c.w.Write(body) // the client has gone
}

func (c *call) finish(status int, outcome Outcome) {
	c.entry.Status, c.entry.Outcome, c.entry.Finished = status, outcome, c.server.config.Now()
	c.server.ledger.finish(&c.entry)
}

// reset breaks the connection.
func (c *call) reset() {
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // a server that gives no connection away closes it for this
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // close sends RST instead of FIN
	}
	_ = conn.Close()
}

// drip sends the answer a byte at a time.
func (c *call) drip(ctx context.Context, body []byte) {
	flusher := http.NewResponseController(c.w)
	for i := range body {
		if _, err := c.w.Write(body[i : i+1]); err != nil {
			return
		}
		if flusher.Flush() != nil || !c.wait(ctx, c.server.config.Drip) {
			return
		}
	}
}
