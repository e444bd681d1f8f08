package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestSchemas_AreCurrent(t *testing.T) {
	t.Parallel()
	comments, err := readComments("..", taskPackage+"/schemagen")
	require.NoError(t, err)
	for _, name := range task.SchemaNames() {
		want, err := generate(name, comments)
		require.NoError(t, err)

		got, ok := task.Schema(name)

		require.True(t, ok)
		require.Equal(t, string(want), string(got), "run go generate ./task")
	}
}

func TestGenerate_UnknownName(t *testing.T) {
	t.Parallel()
	_, err := generate("invoice", nil)
	require.ErrorContains(t, err, `no type for schema "invoice"`)
}
