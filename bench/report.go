package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"
)

// spread is what the rounds of one variant came to, in tasks or jobs a second.
type spread struct {
	Min    float64  `json:"min"`
	Median float64  `json:"median"`
	Max    float64  `json:"max"`
	Rounds []sample `json:"rounds"`
}

// report is the outcome of a run. Rates are medians; a variant that was not measured has none.
type report struct {
	RiverNoopPerS float64 `json:"river_noop_per_s,omitempty"`
	NaivePerS     float64 `json:"naive_per_s,omitempty"`
	WeirPerS      float64 `json:"weir_per_s,omitempty"`
	WeirVsRiver   float64 `json:"weir_vs_river,omitempty"`
	WeirVsNaive   float64 `json:"weir_vs_naive,omitempty"`
	Machine       string  `json:"machine"`
	// Noisy says that a counted round was disturbed by others: a ratio of such rounds means little.
	Noisy  bool              `json:"noisy"`
	Spread map[string]spread `json:"spread"`

	samples map[string][]sample
}

func (r *report) sum() {
	r.Spread = make(map[string]spread, len(r.samples))
	for name, samples := range r.samples {
		rates := make([]float64, len(samples))
		for i, s := range samples {
			rates[i] = s.PerSecond
			r.Noisy = r.Noisy || s.OtherCores > noisyCores
		}
		slices.Sort(rates)
		r.Spread[name] = spread{Min: rates[0], Median: median(rates), Max: rates[len(rates)-1], Rounds: samples}
	}
	r.RiverNoopPerS, r.NaivePerS, r.WeirPerS = r.Spread["river"].Median, r.Spread["naive"].Median, r.Spread["weir"].Median
	if r.WeirPerS > 0 && r.RiverNoopPerS > 0 {
		r.WeirVsRiver = r.WeirPerS / r.RiverNoopPerS
	}
	if r.WeirPerS > 0 && r.NaivePerS > 0 {
		r.WeirVsNaive = r.WeirPerS / r.NaivePerS
	}
}

// median of a sorted list.
func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// write puts the report where the flag says: a table on stdout, JSON in a file, or JSON alone on stdout for "-".
func (r *report) write(jsonFile string, stdout io.Writer) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	data = append(data, '\n')
	if jsonFile == "-" {
		_, err = stdout.Write(data)
		return err
	}
	if jsonFile != "" {
		if err := os.WriteFile(jsonFile, data, 0o600); err != nil { //nolint:gosec // the file that the flag names
			return fmt.Errorf("write report: %w", err)
		}
	}
	return r.table(stdout)
}

func (r *report) table(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "\n%s\n\n", r.Machine)
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "a second\tmin\tmedian\tmax\tCPU us for each, by process")
	for _, name := range variantNames() {
		s, ok := r.Spread[name]
		if !ok {
			continue
		}
		_, _ = fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%s\n", name, s.Min, s.Median, s.Max, cpuLine(s.Rounds))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.WeirVsRiver > 0 {
		_, _ = fmt.Fprintf(w, "\nweir / river no-op  %.2f\n", r.WeirVsRiver)
	}
	if r.WeirVsNaive > 0 {
		_, _ = fmt.Fprintf(w, "weir / naive        %.1f\n", r.WeirVsNaive)
	}
	if r.Noisy {
		_, _ = fmt.Fprintln(w, "\nSomething else kept this machine busy in a round that counts. Do not trust these figures.")
	}
	return nil
}

// cpuLine is the mean CPU time of each process over the rounds.
func cpuLine(rounds []sample) string {
	sums := map[string]float64{}
	for _, s := range rounds {
		for name, micros := range s.CPUMicros {
			sums[name] += micros / float64(len(rounds))
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		parts = append(parts, fmt.Sprintf("%s %.0f", name, sums[name]))
	}
	return strings.Join(parts, "  ")
}

// machineLine says what the figures were measured on.
func machineLine(ctx context.Context, c *cluster) (string, error) {
	conn, err := pgx.Connect(ctx, c.server.DSN())
	if err != nil {
		return "", fmt.Errorf("ask Postgres for its settings: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // the server ends a session that cannot say goodbye
	var version, fsync, commit, buffers, wal string
	err = conn.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
		       current_setting('shared_buffers'), current_setting('max_wal_size')`).
		Scan(&version, &fsync, &commit, &buffers, &wal)
	if err != nil {
		return "", fmt.Errorf("ask Postgres for its settings: %w", err)
	}
	version, _, _ = strings.Cut(version, " ")
	return fmt.Sprintf("%d cores, %s/%s, %s; Postgres %s with fsync %s, synchronous_commit %s, shared_buffers %s, "+
		"max_wal_size %s; NATS with sync_interval always; simulated models with zero latency; load, models, NATS, Postgres "+
		"and the pipeline all on this machine", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), version,
		fsync, commit, buffers, wal), nil
}
