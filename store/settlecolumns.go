package store

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// attemptColumns turns settlements into the columns that closeAttempts unnests.
func attemptColumns(settlements []Settlement) pgx.NamedArgs {
	n := len(settlements)
	tasks, bundles, ids := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]uuid.UUID, n)
	states, counted := make([]string, n), make([]bool, n)
	statuses, latencies := make([]*int16, n), make([]*int32, n)
	raw, costs, finished := make([][]byte, n), make([]*int64, n), make([]time.Time, n)
	for i := range settlements {
		s := &settlements[i]
		tasks[i], bundles[i], ids[i], states[i], counted[i] = s.TaskID, s.BundleID, s.AttemptID, s.State, s.Counted
		raw[i], costs[i], finished[i] = s.RawUsage, picoArg(s.Cost), s.FinishedAt
		if s.HTTPStatus > 0 {
			status := int16(s.HTTPStatus) //nolint:gosec // three digits
			statuses[i] = &status
		}
		latency := clampInt32(s.Latency.Milliseconds())
		latencies[i] = &latency
	}
	args := pgx.NamedArgs{
		"tasks": idArray(tasks), "bundles": idArray(bundles), "ids": idArray(ids), "states": states,
		"counted": counted, "statuses": statuses,
		"latencies": latencies, "raw_usage": raw, "costs": costs, "finished": finished,
	}
	args["reported_costs"] = column(n, func(i int) *int64 { return picoArg(settlements[i].ReportedCost) })
	args["votes"] = column(n, func(i int) *[16]byte { return (*[16]byte)(settlements[i].Vote) })
	addTextColumns(args, settlements)
	addUsageColumns(args, settlements)
	return args
}

func addTextColumns(args pgx.NamedArgs, settlements []Settlement) {
	columns := map[string]func(*Settlement) string{
		"verdicts":      func(s *Settlement) string { return s.Verdict },
		"validators":    func(s *Settlement) string { return s.Validator },
		"reasons":       func(s *Settlement) string { return s.Reason },
		"failures":      func(s *Settlement) string { return string(s.Failure) },
		"stops":         func(s *Settlement) string { return s.StopReason },
		"answered":      func(s *Settlement) string { return s.ModelAnswered },
		"service_tiers": func(s *Settlement) string { return s.ServiceTier },
		"speeds":        func(s *Settlement) string { return s.Speed },
		"geos":          func(s *Settlement) string { return s.Geo },
		"price_rows":    func(s *Settlement) string { return s.PriceRow },
		"price_books":   func(s *Settlement) string { return s.PriceBook },
		"request_ids":   func(s *Settlement) string { return s.RequestID },
	}
	for name, of := range columns {
		args[name] = column(len(settlements), func(i int) *string { return nullText(clean(of(&settlements[i]))) })
	}
}

// column makes an array argument; a nil one where no value is known, which unnest fills up with NULLs just the same:
// most columns of most groups are such, and NULL for NULL they are not free.
func column[T any](n int, of func(i int) *T) []*T {
	var values []*T
	for i := range n {
		value := of(i)
		if value == nil {
			continue
		}
		if values == nil {
			values = make([]*T, n)
		}
		values[i] = value
	}
	return values
}

func addUsageColumns(args pgx.NamedArgs, settlements []Settlement) {
	classes := map[string]func(*task.Usage) int64{
		"input":        func(u *task.Usage) int64 { return u.Input },
		"cache_read":   func(u *task.Usage) int64 { return u.CacheRead },
		"write_5m":     func(u *task.Usage) int64 { return u.CacheWrite5m },
		"write_30m":    func(u *task.Usage) int64 { return u.CacheWrite30m },
		"write_1h":     func(u *task.Usage) int64 { return u.CacheWrite1h },
		"write_12h":    func(u *task.Usage) int64 { return u.CacheWrite12h },
		"input_audio":  func(u *task.Usage) int64 { return u.InputAudio },
		"input_image":  func(u *task.Usage) int64 { return u.InputImage },
		"output":       func(u *task.Usage) int64 { return u.Output },
		"reasoning":    func(u *task.Usage) int64 { return u.Reasoning },
		"output_audio": func(u *task.Usage) int64 { return u.OutputAudio },
		"searches":     func(u *task.Usage) int64 { return u.WebSearches },
		"characters":   func(u *task.Usage) int64 { return u.Characters },
	}
	for name, of := range classes {
		args[name] = column(len(settlements), func(i int) *int64 {
			usage := settlements[i].Usage
			if usage == nil { // unknown usage is NULL, not 0
				return nil
			}
			count := of(usage)
			return &count
		})
	}
}

// clean makes a provider's or a validator's words fit for a text column, which refuses NUL and broken UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
