package planner

import (
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// bytesPerToken turns bytes into a neutral token count for planning. English text has about four bytes to a token of
// the common vocabularies; three leaves room for numbers, code and other languages. It never feeds a cost.
const bytesPerToken = 3

// neutralTokens estimates everything that a call sends.
func neutralTokens(t *task.Task, f catalog.Feature) int64 {
	bytes := len(f.System) + len(f.OutputSchema) + len(t.Input)
	for _, c := range f.Context {
		bytes += len(c)
	}
	for _, c := range t.Context {
		bytes += len(c)
	}
	for _, m := range t.Messages {
		bytes += len(m.Content)
	}
	for _, tool := range t.Tools {
		bytes += len(tool.Name) + len(tool.Description) + len(tool.Parameters)
	}
	return int64(bytes)/bytesPerToken + 1
}

// maxOutput is the limit of one answer: the feature's, or the task's own when that is lower.
func maxOutput(requested int, f catalog.Feature) int {
	if requested > 0 && requested < f.MaxOutputTokens {
		return requested
	}
	return f.MaxOutputTokens
}
