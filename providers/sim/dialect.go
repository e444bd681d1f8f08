package sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/weirhq/weir/task"
)

// Dialect is what kind of server speaks Chat Completions.
type Dialect string

// The dialects that differ from OpenAI's own in what they are asked or what they answer.
const (
	DialectOpenAI     Dialect = ""
	DialectOpenRouter Dialect = "openrouter" // tells the cost in the usage
	DialectLiteLLM    Dialect = "litellm"    // tells the cost in a header, and takes labels in one
	DialectAzure      Dialect = "azure"      // takes the model in the path and a version in the query
)

func (d Dialect) known() bool {
	switch d {
	case DialectOpenAI, DialectOpenRouter, DialectLiteLLM, DialectAzure:
		return true
	}
	return false
}

// completionsAt is the API for a request; false when the dialect has no such path.
func (s *Server) completionsAt(r *http.Request) (completions, bool) {
	c := completions{dialect: s.config.Dialect}
	if c.dialect != DialectAzure {
		return c, true
	}
	before, _, _ := strings.Cut(r.URL.Path, "/chat/completions")
	_, deployment, found := strings.Cut(before, "/openai/deployments/")
	c.deployment = deployment
	return c, found && deployment != "" && !strings.Contains(deployment, "/") && r.URL.Query().Get("api-version") != ""
}

// announce sets the headers that tell of an answer what its body does not.
func (c *call) announce(r *reply) {
	if c.server.config.Dialect != DialectLiteLLM {
		return
	}
	c.w.Header().Set("X-Litellm-Call-Id", r.id)
	if r.cost != nil {
		c.w.Header().Set("X-Litellm-Response-Cost", asFloat(*r.cost))
	}
}

// labelsOf are the labels that the client keeps beside a request.
func (c *call) labelsOf() map[string]string {
	var labels map[string]string
	if c.server.config.Dialect == DialectLiteLLM {
		_ = json.Unmarshal([]byte(c.r.Header.Get("X-Litellm-Spend-Logs-Metadata")), &labels) // none, when it is no JSON
	}
	return labels
}

// asFloat writes an amount as those do who work it out in floats: 9.1e-05.
func asFloat(p task.Pico) string {
	return strconv.FormatFloat(float64(p)/float64(task.USD), 'g', -1, 64)
}
