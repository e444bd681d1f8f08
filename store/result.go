package store

import (
	"encoding/json"

	"github.com/weirhq/weir/task"
)

// Result builds the result from the ledger: the same one, field for field, as was or would have been published from
// memory. Metadata and trace context are missing once the task's text has been deleted.
func (r *ResultRow) Result() task.Result {
	result := task.Result{
		ResultID: r.ResultID, TaskID: r.TaskID, ID: r.Key, Tenant: r.Tenant, Feature: r.Feature,
		Status: task.Status(r.Status), Reason: text(r.Reason), Class: task.Class(text(r.Class)), Model: text(r.Model),
		Output: string(r.Output), Attempts: r.Attempts, CostUSD: r.Cost, CostHighUSD: r.CostHigh,
		Batch: text(r.Batch), AcceptedAt: r.AcceptedAt.UTC(), FinishedAt: r.FinishedAt.UTC(),
	}
	var echo struct {
		Metadata    map[string]string `json:"metadata"`
		Traceparent string            `json:"traceparent"`
	}
	// a refused body may not be JSON at all; then there is nothing to give back
	if json.Unmarshal(r.Body, &echo) == nil {
		result.Metadata, result.Traceparent = echo.Metadata, echo.Traceparent
	}
	if len(r.ToolCalls) > 0 && json.Unmarshal(r.ToolCalls, &result.ToolCalls) != nil {
		result.ToolCalls = nil
	}
	return result
}
