// Package embed speaks the providers' APIs for embeddings: /v1/embeddings of OpenAI and of every server that has it,
// Voyage AI's, and batchEmbedContents of the Gemini Developer API. One POST is one call and embeds some texts; what is
// sent together, and what is tried again, is package embeddings' to say.
package embed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

// InputType is what texts are to a search. APIs without it embed both alike.
type InputType string

// The types.
const (
	Unsaid   InputType = ""
	Query    InputType = "query"    // what somebody looks for
	Document InputType = "document" // what is to be found
)

// Request asks for the embeddings of texts.
type Request struct {
	// CallID goes along as the client's request id.
	CallID uuid.UUID
	// Model is the provider's name of the model.
	Model string
	// Texts are embedded each by itself; there is at least one, and none is empty.
	Texts []string
	// Dimensions shortens the vectors; 0 says nothing, and they are as long as the model makes them.
	Dimensions int
	InputType  InputType
	// Feature says for what it is. Gateways that keep such labels beside a request are told.
	Feature string
	// Timeout overrides the provider's total timeout when it is above 0.
	Timeout time.Duration
}

func (r *Request) check() error {
	switch {
	case r.Model == "":
		return fmt.Errorf("%w: no model", providers.ErrCall)
	case len(r.Texts) == 0:
		return fmt.Errorf("%w: no text to embed", providers.ErrCall)
	case r.Dimensions < 0:
		return fmt.Errorf("%w: %d dimensions", providers.ErrCall, r.Dimensions)
	case r.InputType != Unsaid && r.InputType != Query && r.InputType != Document:
		return fmt.Errorf("%w: the input type %q is neither query nor document", providers.ErrCall, r.InputType)
	}
	for i, text := range r.Texts {
		if text == "" {
			return fmt.Errorf("%w: text %d is empty", providers.ErrCall, i)
		}
	}
	return nil
}

// Prepared is an encoded request.
type Prepared struct {
	providers.Request
	inputs     int
	dimensions int
}

// Reply is a provider's answer.
type Reply struct {
	// Vectors are the embeddings in the order of the texts: as many, of one length, every number finite.
	Vectors [][]float32
	// Reply has what any answer has. Its usage is nil when the answer names none, or one that contradicts itself.
	providers.Reply
}

// wire is one API.
type wire interface {
	// prepare encodes a request that was checked.
	prepare(Request) (providers.Request, error)
	// decode reads an answer of status 2xx; what is metered is there beside a fault too.
	decode(httpcall.Answer) (providers.Reply, []item, *httpcall.Fault)
	// fault reads an answer of any other status.
	fault(httpcall.Answer) httpcall.Fault
	// numberBytes is the most that a number of a vector has in an answer.
	numberBytes() int64
}

// Client is an account at one of the APIs. It is safe for concurrent use.
type Client struct {
	http *httpcall.Client
	wire wire
}

// New checks the configuration of an account for embeddings. An API without embeddings is an error.
func New(api string, cfg providers.Config) (*Client, error) {
	var c Client
	var err error
	switch api {
	case catalog.APIOpenAI, catalog.APIResponses:
		c.http, c.wire, err = newOpenAI(cfg)
	case catalog.APIVoyage:
		c.http, c.wire, err = newVoyage(cfg)
	case catalog.APIGemini:
		c.http, c.wire, err = newGemini(cfg)
	default:
		err = errors.New("it has no embeddings")
	}
	if err != nil {
		return nil, fmt.Errorf("configure embeddings of api %s: %w", api, err)
	}
	return &c, nil
}

// Prepare encodes a request. The same request gives the same bytes. Every error wraps providers.ErrCall.
func (c *Client) Prepare(r Request) (Prepared, error) {
	if err := r.check(); err != nil {
		return Prepared{}, err
	}
	request, err := c.wire.prepare(r)
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{Request: request, inputs: len(r.Texts), dimensions: r.Dimensions}, nil
}

// Do sends a request once and reads the answer whole. Every error is a *providers.CallError; the Reply then still has
// what was metered, and no vectors.
func (c *Client) Do(ctx context.Context, p Prepared) (Reply, error) {
	reader := reader{wire: c.wire, inputs: p.inputs, dimensions: p.dimensions}
	reply, err := c.http.DoAs(ctx, p.Request, &reader)
	if err != nil {
		return Reply{Reply: reply}, err
	}
	return Reply{Vectors: reader.vectors, Reply: reply}, nil
}

// assumedDimensions stands for the length of vectors that nobody has named; no model that is known makes longer ones.
const assumedDimensions = 4096

// vectorFrame is more than what stands around the numbers of a vector in an answer.
const vectorFrame = 256

// MostInputs is how many vectors of a length fit into an answer that is still read; 0 dimensions means that their
// length is not known. It is at least 1.
func (c *Client) MostInputs(dimensions int) int {
	if dimensions == 0 {
		dimensions = assumedDimensions
	}
	each := int64(dimensions)*c.wire.numberBytes() + vectorFrame
	return int(max(1, (c.http.MaxBodyBytes()-vectorFrame)/each))
}
