package task_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

// The ids are in results that producers hold, so they must not change from one version of weir to the next.
func TestResultID_IsStable(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1962ecd9-7742-8f17-b7a8-a95dbbfa2d0a", task.ResultID("acme", "t-1", 1).String())
	require.Equal(t, "089b7782-4297-8e38-973c-6e97ae8f7803", task.ResultID("acme", "t-1", 2).String())
	require.Equal(t, "695d32b1-7b5c-820c-8124-1b4fce915d36", task.RefusalID("acme", "t-1", []byte(`{}`)).String())
}

func TestResultID_IsOfVersion8(t *testing.T) {
	t.Parallel()
	for _, id := range []uuid.UUID{task.ResultID("acme", "t-1", 1), task.RefusalID("acme", "t-1", nil)} {
		require.Equal(t, uuid.Version(8), id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
	}
}

func TestResultID_TellsApart(t *testing.T) {
	t.Parallel()
	ids := map[uuid.UUID]string{}
	for name, id := range map[string]uuid.UUID{
		"first":         task.ResultID("acme", "t-1", 1),
		"run":           task.ResultID("acme", "t-1", 2),
		"tenant":        task.ResultID("acm", "et-1", 1),
		"key":           task.ResultID("acme", "t-2", 1),
		"refusal":       task.RefusalID("acme", "t-1", nil),
		"refused body":  task.RefusalID("acme", "t-1", []byte("1")),
		"refused other": task.RefusalID("acme", "t-", []byte("11")),
	} {
		require.Empty(t, ids[id], name)
		ids[id] = name
	}
}
