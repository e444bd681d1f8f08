package worker

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/task"
)

// stableMark ends every text of a feature, variableMark begins every text of a task.
const (
	stableMark   = "~stable"
	variableMark = "^variable"
)

// TestNewCall_SharedPrefix: in every wire format, with every mark, the bodies of two tasks of a feature are the same up to
// the first of the tasks' own texts, nothing of the feature's stands behind it, and the tasks' prefixes have one hash exactly
// when their stable bytes are the same.
func TestNewCall_SharedPrefix(t *testing.T) {
	t.Parallel()
	formats := newFormats(t)
	random := rand.New(rand.NewPCG(15, 42))
	for range 150 {
		f := randomFeature(random)
		tools := randomTools(random)
		a, b, other := randomTask(random, f, tools), randomTask(random, f, tools), randomTask(random, f, nil)
		cache := []providers.Cache{
			providers.CacheUnasked, providers.CacheNone, providers.Cache5m, providers.Cache30m, providers.Cache1h,
			providers.Cache12h,
		}[random.IntN(6)]
		hashes := newHashes(t, f)
		key := hashes(f.Name, tools)
		require.Equal(t, len(tools) == 0, key == hashes(f.Name, nil))
		for name, p := range formats {
			bodyA, bodyB := encoded(t, p, a, f, cache, key), encoded(t, p, b, f, cache, key)
			stable := stablePart(t, bodyA)
			require.Equal(t, string(stable), string(stablePart(t, bodyB)), name)
			require.Equal(t, bytes.Count(bodyA, []byte(stableMark)), bytes.Count(stable, []byte(stableMark)), "%s: %s", name, bodyA)
			without := stablePart(t, encoded(t, p, other, f, cache, key))
			require.Equal(t, len(tools) == 0, bytes.Equal(stable, without), name)
		}
	}
}

// stablePart is a body before the first text of a task's own, less the opening of what holds that text: a task may begin
// with a context, which some formats put behind the feature's, or with a turn.
func stablePart(t *testing.T, body []byte) []byte {
	t.Helper()
	before, _, found := bytes.Cut(body, []byte(variableMark))
	require.True(t, found)
	last := bytes.LastIndex(before, []byte(stableMark))
	require.GreaterOrEqual(t, last, 0)
	return before[:last+len(stableMark)]
}

func newFormats(t *testing.T) map[string]providers.Provider {
	t.Helper()
	formats := map[string]providers.Provider{}
	for name, build := range map[string]func(providers.Config) (providers.Provider, error){
		"anthropic": anthropic.New, "openai": openai.New, "responses": responses.New, "gemini": gemini.New,
	} {
		p, err := build(providers.Config{})
		require.NoError(t, err)
		formats[name] = p
	}
	return formats
}

func newHashes(t *testing.T, f catalog.Feature) func(string, []task.Tool) uuid.UUID {
	t.Helper()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	c := &catalog.Catalog{Features: map[string]catalog.Feature{f.Name: f}}
	return planner.New(planner.Config{
		Catalog: c, Models: planner.NewModels(c, book, time.Now), Classifier: classifier.Classifier(nil),
		Logger: slog.New(slog.DiscardHandler),
	}).PrefixHash
}

func encoded(
	t *testing.T, p providers.Provider, given *task.Task, f catalog.Feature, cache providers.Cache, key uuid.UUID,
) []byte {
	t.Helper()
	call := newCall(uuid.New(), given, f, "model", 100, "")
	call.Cache, call.CacheKey, call.JSONSchema = cache, cacheKey(key), true
	request, err := p.Prepare(call)
	require.NoError(t, err)
	return request.Body
}

func stableText(random *rand.Rand, what string) string {
	return fmt.Sprintf("%s %d \"quoted\" é %s%s", what, random.IntN(1_000), strings.Repeat("word ", random.IntN(20)), stableMark)
}

// randomFeature always has a system prompt, so that every body has something stable.
func randomFeature(random *rand.Rand) catalog.Feature {
	f := catalog.Feature{Name: "f", System: stableText(random, "system")}
	for range random.IntN(3) {
		f.Context = append(f.Context, stableText(random, "context"))
	}
	for range random.IntN(3) {
		f.Examples = append(f.Examples, catalog.Example{Input: stableText(random, "in"), Output: stableText(random, "out")})
	}
	return f
}

func randomTools(random *rand.Rand) []task.Tool {
	var tools []task.Tool
	for i := range random.IntN(3) {
		tools = append(tools, task.Tool{Name: fmt.Sprintf("tool_%d", i), Description: stableText(random, "tool")})
	}
	return tools
}

func randomTask(random *rand.Rand, f catalog.Feature, tools []task.Tool) *task.Task {
	text := func() string { return fmt.Sprintf("%s %d", variableMark, random.Int()) }
	given := &task.Task{Feature: f.Name, Tools: tools}
	for range random.IntN(3) {
		given.Context = append(given.Context, text())
	}
	if random.IntN(2) == 0 {
		given.Messages = append(given.Messages, task.Message{Role: task.RoleUser, Content: text()})
	}
	if random.IntN(2) == 0 {
		given.Messages = append(given.Messages, task.Message{Role: task.RoleAssistant, Content: text()})
	}
	given.Input = text()
	return given
}

func TestNewCall_TheTasksContext(t *testing.T) {
	t.Parallel()
	shown := catalog.Feature{Context: []string{"c"}, Examples: []catalog.Example{{Input: "in", Output: "out"}}}
	plain := catalog.Feature{Context: []string{"c"}}
	given := &task.Task{Context: []string{"one", "two"}, Input: "text"}

	call := newCall(uuid.New(), given, plain, "model", 1, "")
	require.Equal(t, []string{"c", "one", "two"}, call.Context)
	require.Equal(t, 1, call.StableContext)
	require.Equal(t, []task.Message{{Role: "user", Content: "text"}}, call.Messages)

	call = newCall(uuid.New(), given, shown, "model", 1, "")
	require.Equal(t, []string{"c"}, call.Context)
	require.Equal(t, []task.Message{{Role: "user", Content: "in"}, {Role: "assistant", Content: "out"}}, call.Examples)
	require.Equal(t, []task.Message{{Role: "user", Content: "one\n\ntwo\n\ntext"}}, call.Messages)

	given.Messages = []task.Message{{Role: "assistant", Content: "Hello."}}
	call = newCall(uuid.New(), given, shown, "model", 1, "")
	require.Equal(t, "one\n\ntwo", call.Messages[0].Content)
	require.Len(t, call.Messages, 3)
	require.Len(t, given.Messages, 1, "the task is as it was")
}
