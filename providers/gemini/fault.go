package gemini

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// apiError is a google.rpc.Status in JSON.
type apiError struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Status  string    `json:"status"`
	Details rpcDetail `json:"details"`
}

// rpcDetail is what the details of an error say, whichever of them says it.
type rpcDetail struct {
	reasons    []string
	quotas     []string
	retryDelay time.Duration
}

// UnmarshalJSON reads the details that it knows, each by itself: one in another form does not hide the others.
func (d *rpcDetail) UnmarshalJSON(raw []byte) error {
	var details []json.RawMessage
	_ = json.Unmarshal(raw, &details) // what is no list has no details
	for _, one := range details {
		var detail struct {
			Reason     string `json:"reason"`     // ErrorInfo
			RetryDelay string `json:"retryDelay"` // RetryInfo
			Violations []struct {
				QuotaID string `json:"quotaId"`
			} `json:"violations"` // QuotaFailure
		}
		if json.Unmarshal(one, &detail) != nil {
			continue
		}
		d.reasons = append(d.reasons, detail.Reason)
		for _, violation := range detail.Violations {
			d.quotas = append(d.quotas, violation.QuotaID)
		}
		if delay := retryDelay(detail.RetryDelay); delay > 0 {
			d.retryDelay = delay
		}
	}
	return nil
}

// maxRetryDelay is the longest wait that is believed.
const maxRetryDelay = 31 * 24 * time.Hour

// retryDelay reads a duration of Google's JSON, seconds with up to nine decimals and an s: 45.837906927s.
func retryDelay(s string) time.Duration {
	if !strings.HasSuffix(s, "s") || strings.Trim(s, "0123456789.s") != "" {
		return 0
	}
	delay, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return min(delay, maxRetryDelay)
}

func (d *rpcDetail) reason(known ...string) bool {
	return slices.ContainsFunc(d.reasons, func(reason string) bool { return slices.Contains(known, reason) })
}

// daily says that a quota of the day is used up, as in GenerateRequestsPerDayPerProjectPerModel-FreeTier.
func (d *rpcDetail) daily() bool {
	return slices.ContainsFunc(d.quotas, func(quota string) bool {
		return strings.Contains(strings.ToLower(quota), "perday")
	})
}

// Fault reads an error answer.
func (format) Fault(a httpcall.Answer) httpcall.Fault { return FaultOfBody(a) }

// FaultOfBody reads an error answer of any method of the API.
func FaultOfBody(a httpcall.Answer) httpcall.Fault {
	var body struct {
		Error *apiError `json:"error"`
	}
	_ = json.Unmarshal(a.Body, &body) // a field of another type is left out: the rest still tells the class
	if body.Error == nil {
		return httpcall.Fault{Class: httpcall.Class(a.Status), Message: httpcall.Unexplained(a)}
	}
	return body.Error.fault(a)
}

func (e *apiError) fault(a httpcall.Answer) httpcall.Fault {
	fault := httpcall.Fault{Class: e.class(a.Status), Message: e.Message, RetryAfter: e.Details.retryDelay}
	if fault.Message == "" {
		fault.Message = httpcall.Unexplained(a)
	}
	if fault.Class == task.FailQuota {
		fault.RetryAfter = 0 // it is that of the minute's quota: waiting so long does not bring back the day's
	}
	return fault
}

// class goes by the error's reason, then by its words, then by the status: one status has several meanings.
func (e *apiError) class(status int) task.FailureClass {
	if status < http.StatusBadRequest { // an error inside an answer of status 200
		if status = e.Code; status < http.StatusBadRequest {
			return task.FailServer
		}
	}
	switch {
	case e.Details.reason("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED"):
		return task.FailAuth
	case e.Details.reason("BILLING_DISABLED"):
		return task.FailQuota
	case e.Details.reason("MODEL_CAPACITY_EXHAUSTED"):
		return task.FailOverloaded
	}
	switch status {
	case http.StatusBadRequest:
		return e.badRequest()
	case http.StatusTooManyRequests:
		// The words "exceeded your current quota" stand here for the quotas of a minute too.
		if e.Details.daily() || httpcall.Mentions(e.Message, "prepayment credits", "spending cap") {
			return task.FailQuota
		}
	case statusCancelled:
		return task.FailServer
	}
	return httpcall.Class(status)
}

// statusCancelled is how Google's APIs write that a call was given up on their side.
const statusCancelled = 499

func (e *apiError) badRequest() task.FailureClass {
	switch {
	case e.Status == "FAILED_PRECONDITION":
		return task.FailAuth // the account's country or billing, not the request
	case httpcall.Mentions(e.Message, "api key not valid", "api key expired"):
		return task.FailAuth
	case httpcall.Mentions(e.Message, "exceeds the maximum number of tokens", "payload size exceeds"):
		return task.FailTooLong
	}
	return httpcall.Class(http.StatusBadRequest)
}
