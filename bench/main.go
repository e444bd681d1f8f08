// Command bench measures weir's throughput against two rulers on the same machine in the same run: River's own no-op
// rate, and a naive pipeline that does the same work one job and one commit at a time. It starts everything that it
// needs, in processes of their own, and leaves nothing behind. docs/performance.md says how to read its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are what the command line asks for.
type options struct {
	rounds     int
	tasks      int
	only       []string
	json       string
	cpuProfile string
	statements int
	log        bool
}

const (
	defaultRounds = 3
	defaultTasks  = 30_000
	// runLimit bounds the whole run: a bench that hangs measures nothing.
	runLimit = 10 * time.Minute
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	if len(args) > 1 && args[0] == roleFlag {
		return serve(args[1], os.Stdin, stdout, stderr)
	}
	opts, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	report, err := measure(ctx, opts, stderr)
	if err != nil {
		return err
	}
	return report.write(opts.json, stdout)
}

// level is from which one the processes' log lines are shown.
func (o options) level() slog.Level {
	if o.log {
		return slog.LevelInfo
	}
	return slog.LevelError
}

func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", strings.Join(variantNames(), ","), "which variants to measure, separated by commas")
	flags.IntVar(&o.rounds, "rounds", defaultRounds, "how often each variant is measured, interleaved")
	flags.IntVar(&o.tasks, "tasks", defaultTasks, "tasks of weir in a round; River gets three times as many jobs, naive a tenth")
	flags.StringVar(&o.json, "json", "", "write the figures as JSON to this file; - is stdout, instead of the table")
	flags.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile of weir's process in the last round to this file")
	flags.IntVar(&o.statements, "statements", 0, "show this many of weir's costliest statements (slows Postgres a little)")
	flags.BoolVar(&o.log, "log", false, "show what the processes log")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if _, ok := variants()[name]; !ok {
			return o, fmt.Errorf("-only names %q; there are %s", name, strings.Join(variantNames(), ", "))
		}
	}
	if o.rounds < 1 || o.tasks < leastTasks {
		return o, fmt.Errorf("-rounds must be at least 1 and -tasks at least %d", leastTasks)
	}
	return o, nil
}
