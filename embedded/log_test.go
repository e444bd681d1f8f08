package embedded_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestPostgresLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		parts []string
		want  []string // level and line
		tail  string
	}{
		{
			name:  "Levels",
			parts: []string{"LOG:  ready\nWARNING:  odd\nERROR:  answered\nFATAL:  session over\nPANIC:  over\n"},
			want:  []string{"DEBUG LOG:  ready", "WARN WARNING:  odd", "DEBUG ERROR:  answered", "WARN FATAL:  session over", "ERROR PANIC:  over"},
			tail:  "LOG:  ready; WARNING:  odd; ERROR:  answered; FATAL:  session over; PANIC:  over",
		},
		{
			name:  "LinesInParts",
			parts: []string{"FAT", "AL:  a", "b\nLOG:", "  c\n\n", "unfinished"},
			want:  []string{"WARN FATAL:  ab", "DEBUG LOG:  c"},
			tail:  "FATAL:  ab; LOG:  c",
		},
		{
			name:  "TailIsBounded",
			parts: []string{strings.Repeat("first\n", 100), strings.Repeat("last\n", 8)},
			want:  append(repeat("DEBUG first", 100), repeat("DEBUG last", 8)...),
			tail:  strings.Join(repeat("last", 8), "; "),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tail := embedded.WritePostgresLog(slog.New(levelAndLine(&out)), tt.parts...)
			require.Equal(t, tt.want, strings.Split(strings.TrimSpace(out.String()), "\n"))
			require.Equal(t, tt.tail, tail)
		})
	}
}

// levelAndLine writes a record as its level and its attribute line.
func levelAndLine(out *bytes.Buffer) slog.Handler {
	return slog.NewTextHandler(&plainWriter{out}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey || attr.Key == slog.MessageKey {
				return slog.Attr{}
			}
			return attr
		},
	})
}

// plainWriter turns level=WARN line="text" into WARN text.
type plainWriter struct {
	out *bytes.Buffer
}

func (w *plainWriter) Write(p []byte) (int, error) {
	text := strings.NewReplacer("level=", "", "line=", "", `"`, "").Replace(string(p))
	_, err := w.out.WriteString(text)
	return len(p), err
}

func repeat(text string, times int) []string {
	lines := make([]string, times)
	for i := range lines {
		lines[i] = text
	}
	return lines
}
