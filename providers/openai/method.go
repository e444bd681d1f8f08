package openai

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// Method is another method than Chat Completions of the same servers, in their dialects.
type Method struct {
	// Client posts to it.
	Client  *httpcall.Client
	dialect dialect
	path    string
}

// NewMethod checks the configuration of a method, whose path is below that of a dialect, such as /embeddings.
func NewMethod(cfg providers.Config, path string) (*Method, error) {
	d, err := dialectOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure openai: %w", err)
	}
	below := path
	if d.deployments {
		below = "" // each request names its deployment first
	}
	wire, err := newWire(cfg, d, below, format{d})
	if err != nil {
		return nil, fmt.Errorf("configure openai: %w", err)
	}
	client, err := httpcall.New(cfg, wire)
	if err != nil {
		return nil, fmt.Errorf("configure openai: %w", err)
	}
	return &Method{Client: client, dialect: d, path: path}, nil
}

// Address makes a request of a body, which is an object that is not closed yet: what the dialect adds to every request is
// appended to it, and its labels are set. Every error wraps providers.ErrCall.
func (m *Method) Address(call providers.Call, open []byte) (providers.Request, error) {
	if m.dialect.routing != nil {
		open = append(open, m.dialect.routing(&call)...)
	}
	return m.dialect.address(&call, m.path, append(open, '}'))
}

// ReportedCost is what the server says that it billed, nil when it does not say.
func (m *Method) ReportedCost(usage json.RawMessage, header http.Header) *task.Pico {
	if m.dialect.reported == nil {
		return nil
	}
	return m.dialect.reported(usage, header)
}
