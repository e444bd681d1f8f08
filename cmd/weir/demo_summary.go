package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// demoSummary is what the demo found, as --json prints it. Money is decimal strings.
type demoSummary struct {
	Tasks            int           `json:"tasks"`
	Succeeded        int           `json:"succeeded"`
	Failed           int           `json:"failed"`
	Escalated        int           `json:"escalated"`
	Seconds          float64       `json:"seconds"`
	CostUSD          task.Pico     `json:"cost_usd"`
	FlagshipCostUSD  task.Pico     `json:"flagship_cost_usd"`
	SavedShare       float64       `json:"saved_share"`
	Models           []demoModel   `json:"models"`
	Features         []demoFeature `json:"features"`
	comparison       []demoFeature // every run's features, for the table
	comparisonLabels []string
}

// demoModel is one model's part of the traffic.
type demoModel struct {
	Model    string    `json:"model"`
	Tier     string    `json:"tier"`
	Attempts int       `json:"attempts"`
	Share    float64   `json:"share"`
	CostUSD  task.Pico `json:"cost_usd"`
}

// demoFeature is one feature's result.
type demoFeature struct {
	Feature     string     `json:"feature"`
	Tasks       int        `json:"tasks"`
	Useful      int        `json:"useful"`
	SuccessRate float64    `json:"success_rate"`
	CostUSD     task.Pico  `json:"cost_usd"`
	CPUOUSD     *task.Pico `json:"cpuo_usd"`
}

// summarize reads everything back from the views: what the demo prints is what SQL says.
func (d *demo) summarize(ctx context.Context, took time.Duration) (*demoSummary, error) {
	p, err := store.WatchBatch(ctx, d.pool, demoTenant, cascadeRun().name)
	if err != nil {
		return nil, err
	}
	s := &demoSummary{
		Tasks: p.Tasks, Succeeded: p.States[string(task.Succeeded)], Escalated: p.Escalated,
		Seconds: math.Round(took.Seconds()*100) / 100, CostUSD: p.Cost,
	}
	s.Failed = s.Tasks - s.Succeeded
	if s.Models, err = d.models(ctx); err != nil {
		return nil, err
	}
	if s.Features, err = d.features(ctx, cascadeRun()); err != nil {
		return nil, err
	}
	for _, r := range []demoRun{cheapestRun(), flagshipRun(), cascadeRun()} {
		features, err := d.features(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, f := range features {
			s.comparison = append(s.comparison, f)
			s.comparisonLabels = append(s.comparisonLabels, r.name)
			if r.name == flagshipRun().name {
				s.FlagshipCostUSD += f.CostUSD
			}
		}
	}
	if s.FlagshipCostUSD > 0 {
		s.SavedShare = share(int64(s.FlagshipCostUSD-s.CostUSD), int64(s.FlagshipCostUSD))
	}
	return s, nil
}

// share is a part of a whole with four decimals. It is for people to read; money stays integer.
func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return math.Round(float64(part)/float64(whole)*10_000) / 10_000
}

func (d *demo) models(ctx context.Context) ([]demoModel, error) {
	rows, err := d.pool.Query(ctx, `
		SELECT model, tier, count(*), (coalesce(sum(cost_usd), 0) * 1000000000000)::bigint
		FROM weir.attempts_flat
		WHERE feature = ANY (@features::text[])
		GROUP BY model, tier
		ORDER BY count(*) DESC`, pgx.NamedArgs{"features": demoFeatures(cascadeRun())})
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	var models []demoModel
	total := 0
	var m demoModel
	_, err = pgx.ForEachRow(rows, []any{&m.Model, &m.Tier, &m.Attempts, &m.CostUSD}, func() error {
		models = append(models, m)
		total += m.Attempts
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	for i := range models {
		models[i].Share = share(int64(models[i].Attempts), int64(total))
	}
	return models, nil
}

func (d *demo) features(ctx context.Context, r demoRun) ([]demoFeature, error) {
	rows, err := d.pool.Query(ctx, `
		SELECT feature, sum(tasks)::bigint, sum(useful)::bigint, (sum(cost_usd) * 1000000000000)::bigint
		FROM weir.cpuo
		WHERE feature = ANY (@features::text[])
		GROUP BY feature
		ORDER BY feature DESC`, pgx.NamedArgs{"features": demoFeatures(r)})
	if err != nil {
		return nil, fmt.Errorf("read CPUO: %w", err)
	}
	var features []demoFeature
	var f demoFeature
	_, err = pgx.ForEachRow(rows, []any{&f.Feature, &f.Tasks, &f.Useful, &f.CostUSD}, func() error {
		f.SuccessRate = share(int64(f.Useful), int64(f.Tasks))
		f.CPUOUSD = nil
		if cpuo, ok := pricing.CPUO(f.CostUSD, int64(f.Useful)); ok {
			f.CPUOUSD = &cpuo
		}
		features = append(features, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read CPUO: %w", err)
	}
	return features, nil
}

func (s *demoSummary) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// writeTables prints what a person wants to know.
func (s *demoSummary) writeTables(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, "  "+strings.Join(cells, "\t")+"\t") }
	_, _ = fmt.Fprintf(w, "\nWhere the traffic went (simulated models)\n\n")
	line("model", "tier", "calls", "share", "cost USD")
	for _, m := range s.Models {
		line(m.Model, m.Tier, fmt.Sprint(m.Attempts), percent(m.Share), usd(m.CostUSD))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\nWhat a useful output costs: cost / tasks whose outcome was a success\n\n")
	line("feature", "models", "cost / task", "success", "CPUO USD")
	for _, name := range demoFeatures(cascadeRun()) {
		for i, f := range s.comparison {
			if strings.HasPrefix(f.Feature, name) {
				line(name, s.comparisonLabels[i], usd(perTask(f)), percent(f.SuccessRate), cpuo(f))
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
%d tasks in %.1f s: %d succeeded, %d failed, %d went to a dearer model.
With the cascade $%s, everything on the flagship $%s: %s saved.
The models are simulated, so these figures show how weir counts, not what your models can do.
`, s.Tasks, s.Seconds, s.Succeeded, s.Failed, s.Escalated, usd(s.CostUSD), usd(s.FlagshipCostUSD), percent(s.SavedShare))
	return err
}

func perTask(f demoFeature) task.Pico {
	if f.Tasks == 0 {
		return 0
	}
	return f.CostUSD / task.Pico(f.Tasks)
}

func cpuo(f demoFeature) string {
	if f.CPUOUSD == nil {
		return "-"
	}
	return usd(*f.CPUOUSD)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", share*100) }

// usd shows money to people: four decimals from a cent up, six below, where prices of single tasks live.
func usd(p task.Pico) string {
	if p < task.USD/100 && p > -task.USD/100 {
		return pricing.Round(p, 6)
	}
	return pricing.Round(p, 4)
}
