package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

// What weir.yaml says of how models are to work reaches the providers, and only what each model takes. What is a task's own
// comes behind the examples.
func TestWorker_Settings(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string][]answer{"gpt-4o-mini": {say("maybe")}})
	b.publish(t, `{"id":"a","feature":"shown","context":["Two is two."],"input":"Is two two?"}`)
	require.Equal(t, task.Succeeded, b.result(t).Status)
	b.fake.mu.Lock()
	defer b.fake.mu.Unlock()
	require.Len(t, b.fake.bodies, 2)
	const messages = `"messages": [
		{"role": "system", "content": "Answer yes or no."},
		{"role": "user", "content": "Is one two?"}, {"role": "assistant", "content": "no"},
		{"role": "user", "content": "Two is two.\n\nIs two two?"}]`
	require.JSONEq(t, `{"model": "gpt-4o-mini", "max_tokens": 1024, "temperature": 0.25, "service_tier": "default", `+messages+`}`,
		b.fake.bodies[0])
	require.JSONEq(t, `{"model": "gpt-6-sol", "max_tokens": 1024, "reasoning_effort": "low", `+messages+`}`, b.fake.bodies[1])
}
