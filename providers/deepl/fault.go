package deepl

import (
	"encoding/json"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// statusQuota is DeepL's own status for a plan, or a limit that the account has set itself, that is used up.
const statusQuota = 456

// Fault reads an error answer. The status tells the class; the body has words only.
func (format) Fault(a httpcall.Answer) httpcall.Fault {
	var body struct {
		Message string `json:"message"`
		Detail  string `json:"detail"`
	}
	_ = json.Unmarshal(a.Body, &body) // a body in another form has no words, and the status still tells the class
	fault := httpcall.Fault{Class: httpcall.Class(a.Status), Message: body.Message}
	if a.Status == statusQuota {
		fault.Class = task.FailQuota
	}
	switch {
	case fault.Message == "" && body.Detail == "":
		fault.Message = httpcall.Unexplained(a)
	case fault.Message == "":
		fault.Message = body.Detail
	case body.Detail != "":
		fault.Message += ": " + body.Detail
	}
	return fault
}
