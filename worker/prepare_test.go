package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/worker"
)

// remote is a model whose embeddings a provider makes.
type remote struct {
	err error

	mu    sync.Mutex
	known map[string]bool
	asked []int // how many tasks at a time
}

func (r *remote) Decide(s classifier.Subject) (classifier.Decision, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known[s.Task.Input] {
		return classifier.Decision{Learned: "remote", Abstained: "no embedding", Pending: true}, false
	}
	return classifier.Decision{
		Class: task.L1, Source: classifier.SourceModel, Confidence: 0.75, Learned: "remote", Probabilities: &classifier.Probabilities{0.75, 0.25, 0},
	}, true
}

func (r *remote) Prepare(_ context.Context, subjects []classifier.Subject) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, len(subjects))
	if r.err != nil {
		return r.err
	}
	for _, s := range subjects {
		r.known[s.Task.Input] = true
	}
	return nil
}

// TestClassify_PreparesAJobAtOnce: the tasks of a job that hang on a provider's embeddings have them made in one go, and are
// classified without where that fails.
func TestClassify_PreparesAJobAtOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		err       error
		class     string
		source    string
		abstained *string
	}{
		{name: "Made", class: "L1", source: classifier.SourceModel},
		{name: "Failed", err: errors.New("no answer"), class: "L3", source: classifier.SourceDefault, abstained: new("no embedding")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			model := &remote{err: tt.err, known: map[string]bool{}}
			b := setup(t, map[string][]answer{"gpt-4o-mini": {say("no")}}, func(c *worker.Config) {
				config := c.Planner.Config
				chain, err := classifier.New(catalog.Classifier{Order: []string{catalog.WayModel}, Default: task.L3})
				require.NoError(t, err)
				chain.Use(classifier.Learned{Model: model})
				config.Classifier = chain
				c.Planner = planner.New(config)
			})
			_, err := b.js.Publish(t.Context(), task.Subject("acme", "shown"), []byte(`{"tasks":[{"id":"a","input":"one"},{"id":"b","input":"two"},
				{"id":"c","class":"L2","input":"three"}]}`))
			require.NoError(t, err)
			for range 3 {
				require.Equal(t, task.Succeeded, b.result(t).Status)
			}
			require.Equal(t, []int{2}, model.asked, "the third task says its class itself")
			for _, key := range []string{"a", "b"} {
				var class, source, learned string
				var abstained *string
				var known bool
				require.NoError(t, b.pool.QueryRow(t.Context(), `
					SELECT class, class_source, class_learned, class_abstained, class_probabilities IS NOT NULL FROM weir.tasks WHERE key = $1`,
					key).Scan(&class, &source, &learned, &abstained, &known))
				require.Equal(t, []any{tt.class, tt.source, "remote", tt.abstained, tt.err == nil}, []any{class, source, learned, abstained, known})
			}
			if tt.err == nil {
				return
			}
			b.publish(t, `{"id":"d","feature":"shown","input":"four"}`)
			require.Equal(t, task.Succeeded, b.result(t).Status)
			require.Equal(t, []int{2}, model.asked, "nobody asks again for a minute")
		})
	}
}
