package validators

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestNamed_PanicBecomesAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		panic func(*subject) (string, error)
		want  string
	}{
		{"Runtime", func(*subject) (string, error) {
			var none []int
			return "", errors.New(strings.Repeat("x", none[len(none)]))
		}, "validator broken@3 panicked: runtime error: index out of range"},
		{"Value", func(*subject) (string, error) { panic("a secret part of a prompt") }, "validator broken@3 panicked: string"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := &named{name: "broken", version: 3, check: checkFunc(test.panic)}
			chain := &Chain{validators: []*named{v}}
			verdict, err := chain.Validate(&Answer{Output: "x"})
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
			require.Equal(t, Verdict{}, verdict)
			_, err = v.Validate(&Answer{Output: "x"})
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestCutReason(t *testing.T) {
	t.Parallel()
	long := cutReason(strings.Repeat("é", 10*MaxReason))
	require.Equal(t, MaxReason, utf8.RuneCountInString(long))
	require.True(t, strings.HasSuffix(long, "é…"))
	require.Equal(t, "a\ufffdb\ufffdc\ufffd", cutReason("a\x00b\u202ec\xff"))
	require.Equal(t, strings.Repeat("é", MaxReason), cutReason(strings.Repeat("é", MaxReason)))
}

func TestSchemaCache_KeepsTheLastUsed(t *testing.T) {
	t.Parallel()
	const most = 2
	c := newSchemaCache(most)
	first, err := c.get([]byte(`{"type": "object"}`))
	require.NoError(t, err)
	_, err = c.get([]byte(`{"type": 1}`))
	require.Error(t, err)
	again, err := c.get([]byte(`{"type": "object"}`))
	require.NoError(t, err)
	require.Same(t, first, again)
	_, err = c.get([]byte(`true`)) // the failure is the oldest now
	require.NoError(t, err)
	require.Equal(t, most, c.recent.Len())
	require.Len(t, c.byHash, most)
	again, err = c.get([]byte(`{"type": "object"}`))
	require.NoError(t, err)
	require.Same(t, first, again)
}
