package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

type outcomeCmd struct {
	Source  string `arg:"" help:"A JSONL file of outcomes, or - for standard input."`
	Feature string `required:"" help:"The feature of the outcomes' tasks."`
	Tenant  string `default:"default" help:"The tenant."`
	Quiet   bool   `short:"q" help:"No progress bar."`
}

// Help is the long help.
func (outcomeCmd) Help() string {
	return `A line is an outcome: {"id": "...", "success": true} and whatever else 'weir schema outcome' shows. One without a
time gets the current one. The last outcome of a task wins, so reporting the same file again is harmless.`
}

// Run reports outcomes and waits until the stream has all of them.
func (c *outcomeCmd) Run(ctx context.Context, a *app) error {
	if err := task.CheckAddress(c.Tenant, c.Feature); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	again, err := rereadable(c.Source)
	if err != nil {
		return err
	}
	nc, err := a.reachNATS(ctx)
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := producer.New(nc, producer.Config{Tenant: c.Tenant})
	if err != nil {
		return err
	}
	s := shipment[task.Outcome]{
		what: "outcome", rereadable: again, quiet: c.Quiet,
		check: func(o task.Outcome) error { return o.Check() },
		read:  func() iter.Seq2[task.Outcome, error] { return c.outcomes(a.stdin) },
		send: func(
			ctx context.Context, outcomes iter.Seq2[task.Outcome, error], o producer.Options,
		) (producer.Progress, error) {
			return p.ReportOutcomes(ctx, c.Feature, outcomes, o)
		},
	}
	done, err := s.publish(ctx, a)
	if err != nil {
		return err
	}
	s.report(a.stdout, done)
	return nil
}

func (c *outcomeCmd) outcomes(stdin io.Reader) iter.Seq2[task.Outcome, error] {
	if c.Source == standardInput {
		return producer.OutcomesJSONL(stdin, "standard input", task.Limits{})
	}
	return func(yield func(task.Outcome, error) bool) {
		file, err := os.Open(c.Source)
		if err != nil {
			yield(task.Outcome{}, fmt.Errorf("read outcomes: %w", err))
			return
		}
		defer func() { _ = file.Close() }() // only read
		producer.OutcomesJSONL(file, c.Source, task.Limits{})(yield)
	}
}
