package sim

import (
	"fmt"
	"net/http"
	"time"
)

// problem is an answer that is an error.
type problem struct {
	kind    problemKind
	message string
	// retryAfter is the wait that the answer names, 0 for none.
	retryAfter time.Duration
	// code is the API's own code of it, and the error's type, where there is one beside the kind's.
	code string
}

// problemKind is what went wrong, in words that all wire formats have their own terms for.
type problemKind int

const (
	invalid problemKind = iota
	unauthorized
	unknownModel
	tooLarge
	tooLong
	rateLimited
	quotaSpent
	serverError
	unavailable
	overloaded
	noRoom
	notFound
	conflict
)

// term is a wire format's way of saying that something went wrong.
type term struct {
	status int
	// kind is the error's type, code its code where the format has one.
	kind, code string
}

func (p *problem) Error() string { return p.message }

func invalidf(format string, args ...any) *problem {
	return &problem{kind: invalid, message: fmt.Sprintf(format, args...)}
}

// limited is the answer of a rate limit.
func limited(wait time.Duration) *problem {
	return &problem{kind: rateLimited, message: "Too many requests: the rate limit per minute is reached", retryAfter: wait}
}

// anthropicTerm is the Messages API's word for a problem.
func anthropicTerm(k problemKind) term {
	switch k {
	case invalid, tooLong:
		return term{status: http.StatusBadRequest, kind: "invalid_request_error"}
	case unauthorized:
		return term{status: http.StatusUnauthorized, kind: "authentication_error"}
	case unknownModel, notFound:
		return term{status: http.StatusNotFound, kind: "not_found_error"}
	case conflict: // what a batch's state does not allow
		return term{status: http.StatusBadRequest, kind: "invalid_request_error"}
	case tooLarge:
		return term{status: http.StatusRequestEntityTooLarge, kind: "request_too_large"}
	case rateLimited, quotaSpent:
		return term{status: http.StatusTooManyRequests, kind: "rate_limit_error"}
	case unavailable:
		return term{status: http.StatusServiceUnavailable, kind: "api_error"}
	case overloaded, noRoom:
		return term{status: statusOverloaded, kind: "overloaded_error"}
	case serverError:
	}
	return term{status: http.StatusInternalServerError, kind: "api_error"}
}

// statusOverloaded is Anthropic's own status.
const statusOverloaded = 529

// openAITerm is the Chat Completions API's word for a problem.
func openAITerm(k problemKind) term {
	const request = "invalid_request_error"
	switch k {
	case invalid:
		return term{status: http.StatusBadRequest, kind: request}
	case tooLong:
		return term{status: http.StatusBadRequest, kind: request, code: "context_length_exceeded"}
	case unauthorized:
		return term{status: http.StatusUnauthorized, kind: request, code: "invalid_api_key"}
	case unknownModel:
		return term{status: http.StatusNotFound, kind: request, code: "model_not_found"}
	case notFound:
		return term{status: http.StatusNotFound, kind: request}
	case conflict:
		return term{status: http.StatusConflict, kind: request}
	case tooLarge:
		return term{status: http.StatusRequestEntityTooLarge, kind: request, code: "request_too_large"}
	case rateLimited:
		return term{status: http.StatusTooManyRequests, kind: "requests", code: "rate_limit_exceeded"}
	case quotaSpent:
		return term{status: http.StatusTooManyRequests, kind: "insufficient_quota", code: "insufficient_quota"}
	case unavailable:
		return term{status: http.StatusServiceUnavailable, kind: "server_error"}
	case overloaded:
		return term{status: http.StatusServiceUnavailable, kind: "service_unavailable_error", code: "server_is_overloaded"}
	case noRoom:
		return term{status: http.StatusTooManyRequests, kind: "requests", code: "resource_unavailable"}
	case serverError:
	}
	return term{status: http.StatusInternalServerError, kind: "server_error"}
}

// geminiTerm is google.rpc.Status's word for a problem; the code is the reason or the quota that its details name.
func geminiTerm(k problemKind) term {
	switch k {
	case invalid, tooLong, tooLarge:
		return term{status: http.StatusBadRequest, kind: "INVALID_ARGUMENT"}
	case unauthorized:
		return term{status: http.StatusBadRequest, kind: "INVALID_ARGUMENT", code: "API_KEY_INVALID"}
	case unknownModel, notFound:
		return term{status: http.StatusNotFound, kind: "NOT_FOUND"}
	case conflict:
		return term{status: http.StatusBadRequest, kind: "FAILED_PRECONDITION"}
	case rateLimited:
		return term{status: http.StatusTooManyRequests, kind: exhausted, code: "GenerateRequestsPerMinutePerProjectPerModel"}
	case quotaSpent:
		return term{status: http.StatusTooManyRequests, kind: exhausted, code: "GenerateRequestsPerDayPerProjectPerModel"}
	case unavailable, overloaded, noRoom:
		return term{status: http.StatusServiceUnavailable, kind: "UNAVAILABLE"}
	case serverError:
	}
	return term{status: http.StatusInternalServerError, kind: "INTERNAL"}
}

const exhausted = "RESOURCE_EXHAUSTED"
