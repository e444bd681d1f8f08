package anthropic

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

type apiError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Details struct {
		ErrorCode string `json:"error_code"`
	} `json:"details"`
}

// Fault reads an error answer. Its type decides over the status, because gateways translate statuses.
func (format) Fault(a httpcall.Answer) httpcall.Fault {
	var body struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(a.Body, &body); body.Error == nil || err != nil && body.Error.Type == "" {
		return httpcall.Fault{Class: httpcall.Class(a.Status), Message: httpcall.Unexplained(a)}
	}
	return body.Error.fault(a)
}

func (e *apiError) fault(a httpcall.Answer) httpcall.Fault {
	wait := window(a.Header)
	message := e.Message
	if message == "" {
		message = httpcall.Unexplained(a)
	}
	return httpcall.Fault{Class: e.class(a, wait), Message: message, RetryAfter: wait}
}

func (e *apiError) class(a httpcall.Answer, wait time.Duration) task.FailureClass {
	if e.Details.ErrorCode == "enforced_spend_limit_reached" {
		return task.FailQuota
	}
	switch e.Type {
	case "invalid_request_error":
		return e.invalid(a.Status)
	case "rate_limit_error":
		return e.limited(a.RetryAfter > 0 || wait > 0)
	case "authentication_error", "permission_error":
		return task.FailAuth
	case "billing_error":
		return task.FailQuota
	case "not_found_error":
		return task.FailNotFound
	case "request_too_large":
		return task.FailTooLong
	case "overloaded_error":
		return task.FailOverloaded
	case "api_error", "timeout_error", "conflict_error":
		return task.FailServer
	}
	if a.Status == http.StatusOK {
		return task.FailServer // an error of an unknown type inside an answer of status 200
	}
	return httpcall.Class(a.Status)
}

// invalid tells a request that can never succeed from an account or a model that it was too much for: all three are
// invalid_request_error, and only the words differ.
func (e *apiError) invalid(status int) task.FailureClass {
	switch {
	case httpcall.Mentions(e.Message, "credit balance", "api usage limits", "spend limit", "spending limit"):
		return task.FailQuota
	case httpcall.Mentions(e.Message, "prompt is too long", "exceed context limit", "context window"):
		return task.FailTooLong
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		return httpcall.Class(status) // it serves for every 4xx without a type of its own
	}
	return task.FailBadRequest
}

// limited tells a window that opens again from a monthly limit. A window is named by a header or by the message; what
// names none is the limit of the account's tier, which comes without Retry-After.
func (e *apiError) limited(hasWindow bool) task.FailureClass {
	switch {
	case httpcall.Mentions(e.Message, "acceleration", "scale up", "ramp"):
		return task.FailSlowDown
	case hasWindow || httpcall.Mentions(e.Message, "rate limit", "per minute", "per-minute", "concurrent"):
		return task.FailRateLimited
	}
	return task.FailQuota
}

// window is the wait until the exhausted one of the rate limits resets, 0 when none is.
func window(header http.Header) time.Duration {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0 // the resets are absolute, and only the server's own clock tells how far away they are
	}
	var wait time.Duration
	for _, limit := range []string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"} {
		if header.Get("Anthropic-Ratelimit-"+limit+"-Remaining") != "0" {
			continue
		}
		reset, err := time.Parse(time.RFC3339, header.Get("Anthropic-Ratelimit-"+limit+"-Reset"))
		if err == nil {
			wait = max(wait, httpcall.Until(reset, now))
		}
	}
	return wait
}
