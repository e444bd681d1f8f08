package openai

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// apiError is the error object in the forms that compatible servers give it: OpenAI's, a mere string, a numeric code.
type apiError struct {
	present bool
	Type    string
	Code    string
	Message string
	// Status is the code when it is a number, as OpenRouter's and vLLM's is; else 0.
	Status int
	// Flagged says that a moderation refused the prompt.
	Flagged bool
	// Reset is when OpenRouter's limit is whole again, in milliseconds since 1970; else 0.
	Reset int64
}

type errorObject struct {
	Type     looseString `json:"type"`
	Code     looseString `json:"code"`
	Message  looseString `json:"message"`
	Metadata struct {
		Reasons      []looseString `json:"reasons"`
		FlaggedInput looseString   `json:"flagged_input"`
		Headers      struct {
			Reset looseString `json:"X-RateLimit-Reset"`
		} `json:"headers"`
	} `json:"metadata"`
}

// looseString is a string or any other JSON value in its own words; null is empty.
type looseString string

// UnmarshalJSON reads every JSON value.
func (s *looseString) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(s))
	}
	if string(raw) != "null" {
		*s = looseString(raw)
	}
	return nil
}

// UnmarshalJSON reads every form; null is no error.
func (e *apiError) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var o errorObject
	if len(raw) > 0 && raw[0] == '{' {
		_ = json.Unmarshal(raw, &o) // a field of another type is left out: the rest still tells the class
	} else {
		_ = o.Message.UnmarshalJSON(raw) // never fails
	}
	*e = apiError{
		present: true, Type: string(o.Type), Code: string(o.Code), Message: string(o.Message),
		Flagged: len(o.Metadata.Reasons) > 0 || o.Metadata.FlaggedInput != "",
	}
	if n, err := strconv.ParseInt(string(o.Metadata.Headers.Reset), 10, 64); err == nil && n > 0 {
		e.Reset = n
	}
	if n, err := strconv.Atoi(e.Code); err == nil && n >= http.StatusBadRequest && n < 600 {
		e.Status = n
	}
	return nil
}

// FaultOf reads an error object that an answer holds; false when it is null or absent.
func FaultOf(raw json.RawMessage, a httpcall.Answer) (httpcall.Fault, bool) {
	var e apiError
	if len(raw) == 0 || e.UnmarshalJSON(raw) != nil || !e.present {
		return httpcall.Fault{}, false
	}
	return e.fault(a), true
}

// Fault reads an error answer.
func (format) Fault(a httpcall.Answer) httpcall.Fault { return FaultOfBody(a) }

// FaultOfBody reads an error answer of OpenAI's or of what others made of its APIs.
func FaultOfBody(a httpcall.Answer) httpcall.Fault {
	var body struct {
		Error apiError `json:"error"`
		// Older vLLM puts the error's fields at the top, FastAPI has a detail.
		Message looseString `json:"message"`
		Type    looseString `json:"type"`
		Detail  looseString `json:"detail"`
	}
	_ = json.Unmarshal(a.Body, &body) // what is no JSON has none of the fields
	switch {
	case body.Error.present:
		return body.Error.fault(a)
	case body.Message != "":
		e := apiError{Type: string(body.Type), Message: string(body.Message)}
		return e.fault(a)
	case body.Detail != "":
		e := apiError{Message: string(body.Detail)}
		return e.fault(a)
	}
	return httpcall.Fault{Class: httpcall.Class(a.Status), Message: httpcall.Unexplained(a)}
}

func (e *apiError) fault(a httpcall.Answer) httpcall.Fault {
	message := e.Message
	if message == "" {
		message = httpcall.Unexplained(a)
	}
	class := e.class(a.Status)
	if class == task.FailQuota && a.RetryAfter > 0 && max(a.Status, e.Status) == http.StatusPaymentRequired {
		class = task.FailRateLimited // OpenRouter's budget for calls in flight: one that ends makes room
	}
	return httpcall.Fault{Class: class, Message: message, RetryAfter: e.untilReset(a.Header)}
}

// untilReset is the wait for a limit whose end is a time, by the server's own clock; 0 when either is not told.
func (e *apiError) untilReset(header http.Header) time.Duration {
	now, err := http.ParseTime(header.Get("Date"))
	if e.Reset == 0 || err != nil {
		return 0
	}
	return httpcall.Until(time.UnixMilli(e.Reset), now)
}

// class goes by the error's code, then by its words, then by the status: one status has several meanings, and gateways
// keep OpenAI's codes and words more often than its statuses.
func (e *apiError) class(status int) task.FailureClass {
	if status < http.StatusBadRequest { // an error inside an answer of status 200
		status = e.Status
	}
	if e.noFlexRoom(status) {
		return task.FailSlowDown
	}
	if class, ok := codeClass(e.Code); ok {
		return class
	}
	if class, ok := codeClass(e.Type); ok {
		return class
	}
	if e.Flagged && status < http.StatusInternalServerError {
		return task.FailRefusal
	}
	if class, ok := e.wordsClass(status); ok {
		return class
	}
	if status == 0 {
		return task.FailServer
	}
	return httpcall.Class(status)
}

// noFlexRoom is flex processing without capacity: it is not billed and says nothing of the provider's health, so the task
// waits and no attempt is used up.
func (e *apiError) noFlexRoom(status int) bool {
	return status == http.StatusTooManyRequests &&
		(e.Code == "resource_unavailable" || httpcall.Mentions(e.Message, "resource unavailable", "resources unavailable"))
}

func codeClass(code string) (task.FailureClass, bool) {
	switch code {
	case "insufficient_quota", "credit_balance_exhausted", "organization_usage_limit_exceeded",
		"organization_spend_limit_exceeded", "project_spend_limit_exceeded", "billing_hard_limit_reached",
		"billing_not_active", "budget_exceeded":
		return task.FailQuota, true
	case "slow_down":
		return task.FailSlowDown, true
	case "server_is_overloaded", "resource_unavailable", "model_overloaded", "capacity_exceeded":
		return task.FailOverloaded, true
	case "context_length_exceeded", "exceed_context_size_error", "request_too_large":
		return task.FailTooLong, true
	case "model_not_found", "model_deprecated", "DeploymentNotFound":
		return task.FailNotFound, true
	case "invalid_api_key", "account_deactivated":
		return task.FailAuth, true
	case "content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation":
		return task.FailRefusal, true
	case "tool_use_failed", "json_validate_failed":
		return task.FailInvalid, true // Groq checks what the model wrote: the model failed, not the request
	}
	return "", false
}

func (e *apiError) wordsClass(status int) (task.FailureClass, bool) {
	switch status {
	case http.StatusTooManyRequests:
		switch {
		case httpcall.Mentions(e.Message, "request too large"):
			return task.FailTooLong, true // larger than a whole window: no wait makes it fit
		case httpcall.Mentions(e.Message, "exceeded your current quota", "billing details",
			"used all available credits", "spending limit", "budget has been exceeded"):
			return task.FailQuota, true
		}
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		if httpcall.Mentions(e.Message, "maximum context length", "context window", "context length", "context size",
			"prompt is too long", "contextwindowexceeded") {
			return task.FailTooLong, true
		}
		if httpcall.Mentions(e.Message, "contentpolicyviolation") { // LiteLLM's name for it, whatever the provider's code
			return task.FailRefusal, true
		}
		if strings.HasPrefix(e.Message, "Incorrect API key") {
			return task.FailAuth, true // xAI's status for it is 400
		}
	case http.StatusForbidden:
		if httpcall.Mentions(e.Message, "doesn't have any credits", "used all available credits", "spending limit") {
			return task.FailQuota, true // xAI's
		}
	case http.StatusServiceUnavailable:
		if httpcall.Mentions(e.Message, "slow down") {
			return task.FailSlowDown, true
		}
	}
	return "", false
}
