package task_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestParseSubject(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	tests := []struct {
		name    string
		subject string
		kind    task.Kind
		tenant  string
		feature string
		reason  string
	}{
		{"Tasks", "weir.tasks.acme.ticket-triage", task.KindTasks, "acme", "ticket-triage", ""},
		{"Results", "weir.results.A_1.b", task.KindResults, "A_1", "b", ""},
		{"Outcomes", "weir.outcomes." + long + "." + long, task.KindOutcomes, long, long, ""},
		{"Short", "weir.tasks.acme", "", "", "", "the subject is not weir.tasks.<tenant>.<feature>"},
		{"Long", "weir.tasks.acme.a.b", "", "", "", "the subject is not"},
		{"OtherRoot", "dam.tasks.acme.a", "", "", "", "the subject is not"},
		{"OtherKind", "weir.jobs.acme.a", "", "", "", "the subject is not"},
		{"NoTenant", "weir.tasks..a", "", "", "", "the subject's tenant must be 1 to 64 letters, digits, - or _"},
		{"Wildcard", "weir.tasks.acme.*", "", "", "", "the subject's feature must be"},
		{"Umlaut", "weir.tasks.acme.ä", "", "", "", "the subject's feature must be"},
		{"LongToken", "weir.tasks." + long + "x.a", "", "", "", "the subject's tenant must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			kind, tenant, feature, err := task.ParseSubject(tt.subject)

			require.Equal(t, []any{tt.kind, tt.tenant, tt.feature}, []any{kind, tenant, feature})
			if tt.reason == "" {
				require.NoError(t, err)
				require.Equal(t, tt.subject, kind.Subject(tenant, feature))
				return
			}
			require.ErrorContains(t, err, tt.reason)
			refused, ok := task.IsRefused(err)
			require.True(t, ok)
			require.Equal(t, task.CodeInvalidSubject, refused.Code)
		})
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	require.Equal(t, "weir.tasks.acme.triage", task.Subject("acme", "triage"))
	require.Equal(t, "weir.results.acme.triage", task.ResultSubject("acme", "triage"))
	require.Equal(t, "weir.outcomes.acme.triage", task.OutcomeSubject("acme", "triage"))
	require.Equal(t, "weir.tasks.*.*", task.KindTasks.Subjects())
	require.Equal(t, "WEIR_TASKS", task.KindTasks.Stream())
	require.Equal(t, "WEIR_RESULTS", task.KindResults.Stream())
	require.Equal(t, "WEIR_OUTCOMES", task.KindOutcomes.Stream())
}

func TestMsgID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "acme:t-1:2d711642b726b04401627ca9fbac32f5", task.MsgID("acme", "t-1", []byte("x")))
	require.NotEqual(t, task.MsgID("acme", "t-1", []byte("x")), task.MsgID("acme", "t-1", []byte("y")))
}
