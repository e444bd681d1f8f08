package cascade_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// documented is one row of the retry table in docs/states.md.
type documented struct {
	class   task.FailureClass
	refusal catalog.Policy
	same    int
	then    []string
	counted bool
	alarm   bool
}

func statesPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/states.md")
	require.NoError(t, err)
	return string(page)
}

func retryTable(t *testing.T) []documented {
	t.Helper()
	_, table, found := strings.Cut(statesPage(t), "| class | when | billed | same model | then | counted | alarm |\n")
	require.True(t, found)
	row := regexp.MustCompile("^\\| `(\\w+)`(?: with `(\\w+)`)? \\|[^|]*\\|[^|]*\\| (\\d) \\| ([^|]+) \\| (yes|no) \\| (yes|no) \\|$")
	var rows []documented
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "|---") {
			continue
		}
		if !strings.HasPrefix(line, "|") {
			return rows
		}
		cells := row.FindStringSubmatch(strings.TrimSpace(line))
		require.NotNil(t, cells, line)
		same, err := strconv.Atoi(cells[3])
		require.NoError(t, err)
		rows = append(rows, documented{
			class: task.FailureClass(cells[1]), refusal: catalog.Policy(cells[2]), same: same,
			then: strings.Split(cells[4], ", "), counted: cells[5] == "yes", alarm: cells[6] == "yes",
		})
	}
	return rows
}

func TestDocs_RetryTable(t *testing.T) {
	t.Parallel()
	for _, row := range retryTable(t) {
		t.Run(string(row.class)+string(row.refusal), func(t *testing.T) {
			t.Parallel()
			s := cascade.State{
				Stages: 2, Fallbacks: 1, MaxAttempts: 100, Refusal: row.refusal, Jitter: 0.5,
				Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
			}
			e := cascade.Event{Failure: row.class}
			first := cascade.Decide(s, e)
			require.Equal(t, row.counted, first.Counted, "counted")
			require.Equal(t, row.alarm, first.Alarm, "alarm")
			same := 0
			for d := first; d.Action == cascade.SameModel; d = cascade.Decide(s, e) {
				same++
				s.Calls, s.Attempts, s.ModelAttempts = s.Calls+1, s.Attempts+1, s.ModelAttempts+1
			}
			require.Equal(t, row.same, same, "same model")
			require.Equal(t, row.then, movesFrom(s, e), "then")
		})
	}
}

// movesFrom lists what follows once the same model is not tried again, taking away what makes each move possible.
func movesFrom(s cascade.State, e cascade.Event) []string {
	var moves []string
	for range 10 {
		d := cascade.Decide(s, e)
		moves = append(moves, string(d.Action))
		switch d.Action {
		case cascade.Sideways:
			s.Fallbacks = 0
		case cascade.Escalate:
			s.Stages = 1
		case cascade.Wait, cascade.Fail, cascade.Complete, cascade.SameModel:
			return moves
		}
	}
	return moves
}

// TestDocs_EveryFailureClass reads the constants, so that a new class cannot be forgotten.
func TestDocs_EveryFailureClass(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../task/failure.go", nil, 0)
	require.NoError(t, err)
	var classes []task.FailureClass
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			class, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			classes = append(classes, task.FailureClass(class))
		}
		return true
	})
	require.GreaterOrEqual(t, len(classes), 18)
	var described []task.FailureClass
	for _, row := range retryTable(t) {
		if row.refusal == "" || row.refusal == catalog.RefusalEscalate {
			described = append(described, row.class)
		}
	}
	require.ElementsMatch(t, classes, described)
}

func TestDocs_Ceilings(t *testing.T) {
	t.Parallel()
	page := statesPage(t)
	for _, row := range []string{
		"| `BackoffBase` | " + short(cascade.BackoffBase) + " |",
		"| `BackoffCap` | " + short(cascade.BackoffCap) + " |",
		"| `HardWait` | " + short(cascade.HardWait) + " |",
		"| `SpentWait` | " + short(cascade.SpentWait) + " |",
		"| `AgainBase` | " + short(cascade.AgainBase) + " |",
		"| `AgainCap` | " + strconv.Itoa(int(cascade.AgainCap.Hours())) + "h |",
		"| `RetryAfterJitter` | " + strconv.FormatFloat(cascade.RetryAfterJitter, 'g', -1, 64) + " |",
	} {
		require.Contains(t, page, row)
	}
}

// short is 5m for 5m0s.
func short(d time.Duration) string { return strings.Replace(d.String(), "m0s", "m", 1) }
