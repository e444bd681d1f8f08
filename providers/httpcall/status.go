package httpcall

import (
	"net/http"

	"github.com/weirhq/weir/task"
)

// statusOverloaded is Anthropic's own status for a service without capacity.
const statusOverloaded = 529

// Class is what a status means as long as the body says nothing more exact. Statuses of success and redirects that come
// here are malformed answers.
func Class(status int) task.FailureClass {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return task.FailAuth
	case http.StatusPaymentRequired:
		return task.FailQuota
	case http.StatusNotFound, http.StatusGone:
		return task.FailNotFound
	case http.StatusRequestEntityTooLarge:
		return task.FailTooLong
	case http.StatusTooManyRequests:
		return task.FailRateLimited
	case http.StatusServiceUnavailable, statusOverloaded:
		return task.FailOverloaded
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly:
		return task.FailServer // the server's state, not the request, is at fault: it may work again
	}
	switch {
	case status >= http.StatusInternalServerError:
		return task.FailServer
	case status >= http.StatusBadRequest:
		return task.FailBadRequest
	}
	return task.FailMalformed
}
