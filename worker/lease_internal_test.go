package worker

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// beatAt is one beat of a history: when it began, how long it took, how it ended.
type beatAt struct {
	at, took time.Duration
	err      error
}

// everySecond is beats that succeed at once, from one time to another.
func everySecond(from, to time.Duration) []beatAt {
	var beats []beatAt
	for at := from; at <= to; at += time.Second {
		beats = append(beats, beatAt{at: at})
	}
	return beats
}

func TestLease_MayReap(t *testing.T) {
	t.Parallel()
	away := beatAt{at: 20 * time.Second, took: time.Second, err: errors.New("connection refused")}
	outage := slices.Clip(append(everySecond(0, 19*time.Second), away))
	cases := []struct {
		name  string
		beats []beatAt
		now   time.Duration
		want  bool
	}{
		{name: "before the first beat", now: time.Second},
		{name: "a young process", beats: everySecond(0, 14*time.Second), now: 14 * time.Second},
		{name: "a whole lease of beats", beats: everySecond(0, 15*time.Second), now: 15 * time.Second, want: true},
		{name: "silent since", beats: everySecond(0, 20*time.Second), now: 30 * time.Second},
		{name: "a beat has failed", beats: outage, now: 21 * time.Second},
		{
			name:  "right after an outage",
			beats: append(outage, beatAt{at: 65 * time.Second}), now: 65 * time.Second,
		},
		{
			name:  "almost a lease after an outage",
			beats: append(outage, everySecond(65*time.Second, 79*time.Second)...), now: 79 * time.Second,
		},
		{
			name:  "a lease after an outage",
			beats: append(outage, everySecond(65*time.Second, 80*time.Second)...), now: 80 * time.Second, want: true,
		},
		{
			name: "a beat that hung and came through late",
			beats: append(everySecond(0, 19*time.Second),
				beatAt{at: 20 * time.Second, took: 9500 * time.Millisecond}), now: 29*time.Second + 600*time.Millisecond,
		},
		{
			name: "a process that was stopped for a while",
			beats: append(everySecond(0, 20*time.Second),
				everySecond(50*time.Second, 55*time.Second)...), now: 55 * time.Second,
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLease(nil, uuid.Nil, DefaultTiming(), slog.New(slog.DiscardHandler))
			var now time.Duration
			l.clock = func() time.Duration { return now }
			for _, b := range tc.beats {
				now = b.at + b.took
				l.beaten(b.at, b.err)
			}
			now = tc.now
			require.Equal(t, tc.want, l.mayReap())
		})
	}
}
