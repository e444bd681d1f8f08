package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/store"
)

type reportCmd struct {
	Name    string `arg:"" enum:"cpuo,features,models,cascade,shadows,embeddings" help:"cpuo, features, models, cascade, shadows or embeddings."`
	Since   string `default:"30d" help:"Tasks accepted since then: a number of days (7d), a day (2026-10-01), or all."`
	Feature string `help:"Only the tasks of this feature."`
	JSON    bool   `help:"Print one JSON object; money is exact, in decimal strings of USD."`
}

// Run prints a report from the views.
func (c *reportCmd) Run(ctx context.Context, a *app) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrations.Check(ctx, pool); err != nil {
		return err
	}
	r := report{name: c.Name, filter: store.ReportFilter{Since: since, Feature: c.Feature}}
	if r.content, err = readReport(ctx, pool, c.Name, r.filter); err != nil {
		return err
	}
	if c.JSON {
		return r.writeJSON(a.stdout)
	}
	return r.writeText(a.stdout)
}

// parseSince is the first day of a report in UTC, zero for all days.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "all" {
		return time.Time{}, nil
	}
	if digits, found := strings.CutSuffix(text, "d"); found {
		if days, err := strconv.ParseUint(digits, 10, 16); err == nil {
			return now.UTC().AddDate(0, 0, -int(days)).Truncate(24 * time.Hour), nil
		}
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	return time.Time{}, fmt.Errorf("%w: --since is %q; write a number of days such as 7d, a day such as 2026-10-01, or all",
		errUsage, text)
}

// report is what was asked and what the views answered.
type report struct {
	name    string
	filter  store.ReportFilter
	content content
}

// content is a report's rows: themselves for JSON, and as a table with remarks for people.
type content struct {
	rows    any
	count   int
	table   table
	remarks []string
}

func readReport(ctx context.Context, db store.DB, name string, f store.ReportFilter) (content, error) {
	switch name {
	case "cpuo":
		return readAs(ctx, db, f, store.ReportCPUO, cpuoTable)
	case "features":
		return readAs(ctx, db, f, store.ReportFeatures, featuresTable)
	case "models":
		return readAs(ctx, db, f, store.ReportModels, modelsTable)
	case "cascade":
		return readAs(ctx, db, f, store.ReportCascade, cascadeTable)
	case "shadows":
		return readAs(ctx, db, f, store.ReportShadows, shadowsTable)
	case reportEmbeddings:
		return readAs(ctx, db, f, store.ReportEmbeddings, embeddingsTable)
	}
	return content{}, fmt.Errorf("%w: there is no report %q", errUsage, name)
}

// readAs runs one report and lays it out.
func readAs[Row any](
	ctx context.Context, db store.DB, f store.ReportFilter,
	read func(context.Context, store.DB, store.ReportFilter) ([]Row, error), layOut func([]Row) (table, []string),
) (content, error) {
	rows, err := read(ctx, db, f)
	if err != nil {
		return content{}, err
	}
	c := content{rows: rows, count: len(rows)}
	c.table, c.remarks = layOut(rows)
	return c, nil
}

// writeJSON prints {"report", "since", "feature", "rows"}; since and feature are null where nothing limits them.
func (r *report) writeJSON(w io.Writer) error {
	out := struct {
		Report  string  `json:"report"`
		Since   *string `json:"since"`
		Feature *string `json:"feature"`
		Rows    any     `json:"rows"`
	}{Report: r.name, Rows: r.content.rows}
	if !r.filter.Since.IsZero() {
		day := r.filter.Since.Format(time.DateOnly)
		out.Since = &day
	}
	if r.filter.Feature != "" {
		out.Feature = &r.filter.Feature
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

func (r *report) writeText(w io.Writer) error {
	if r.content.count == 0 {
		_, err := fmt.Fprintf(w, "no %s %s\n", r.subject(), r.scope())
		return err
	}
	if _, err := fmt.Fprintf(w, "%s, %s %s\n\n", r.title(), r.subject(), r.scope()); err != nil {
		return err
	}
	if err := r.content.table.write(w); err != nil {
		return err
	}
	if len(r.content.remarks) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(r.content.remarks, "\n"))
	return err
}

func (r *report) title() string {
	switch r.name {
	case "cpuo":
		return "Cost per useful output"
	case "features":
		return "Cost by feature"
	case "models":
		return "Use of models"
	case "shadows":
		return "Accepted answers and the next model's"
	case reportEmbeddings:
		return "Embeddings"
	}
	return "Ways through the cascade"
}

// reportEmbeddings is about calls that belong to no task.
const reportEmbeddings = "embeddings"

// subject is what the report counts.
func (r *report) subject() string {
	if r.name == reportEmbeddings {
		return "calls"
	}
	return "tasks"
}

// scope says which of them the report is about.
func (r *report) scope() string {
	scope, since := "of all days", "accepted since "
	if r.name == reportEmbeddings {
		since = "sent since "
	}
	if !r.filter.Since.IsZero() {
		scope = since + r.filter.Since.Format(time.DateOnly) + " (UTC)"
	}
	if r.filter.Feature != "" {
		scope += " of feature " + r.filter.Feature
	}
	return scope
}
