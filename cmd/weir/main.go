// Command weir is the one binary: it runs the router, speaks to it, and reports on it. Each subcommand is a file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is every subcommand.
type cli struct {
	Demo      demoCmd      `cmd:"" help:"Run a backlog through simulated models and show what the cascade saves."`
	Init      initCmd      `cmd:"" help:"Write a weir.yaml for the providers whose keys are in the environment."`
	Up        upCmd        `cmd:"" help:"Run weir with its own Postgres and NATS."`
	Run       runCmd       `cmd:"" help:"Run parts of weir against DATABASE_URL and NATS_URL."`
	Publish   publishCmd   `cmd:"" help:"Publish tasks from a JSONL file, a directory or standard input."`
	Watch     watchCmd     `cmd:"" help:"Follow the tasks of a batch label to their end."`
	Results   resultsCmd   `cmd:"" help:"Write the results of a batch label to a file."`
	Outcome   outcomeCmd   `cmd:"" help:"Report the business success of tasks."`
	Cancel    cancelCmd    `cmd:"" help:"Cancel unfinished tasks."`
	Rerun     rerunCmd     `cmd:"" help:"Run failed tasks again."`
	Embed     embedCmd     `cmd:"" help:"Turn texts into vectors by an embedder of weir.yaml, and record what it costs."`
	Dlq       dlqCmd       `cmd:"" help:"List, show and publish again what was refused."`
	Eval      evalCmd      `cmd:"" help:"Judge what weir decides by data whose right answers are known."`
	Report    reportCmd    `cmd:"" help:"Report cost per useful output, cost by feature, use of models or ways through the cascade."`
	Explain   explainCmd   `cmd:"" help:"Say why a task has its class and its plan, and what was called."`
	Models    modelsCmd    `cmd:"" name:"classifier" help:"List the trained models, let one decide or look on, go back to the one before."`
	Rates     ratesCmd     `cmd:"" help:"Show how often each model's answers were accepted, by call path and class."`
	Prices    pricesCmd    `cmd:"" help:"List the price book, price a usage, find when caching pays, look for what is stale."`
	Providers providersCmd `cmd:"" help:"Show what is limited or left alone and why, and let it be called again."`
	Audit     auditCmd     `cmd:"" help:"Read usage logs: where the money goes, and what routing, caching and batching would save."`
	Train     trainCmd     `cmd:"" help:"Train the classifier's model on labelled prompts."`
	Classify  classifyCmd  `cmd:"" help:"Say which class a text has, and why."`
	Verify    verifyCmd    `cmd:"" help:"Check the ledger: every invariant, and every cost recomputed from the price book."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database to this version's schema."`
	Config    configCmd    `cmd:"" help:"Check weir.yaml, or print a starter."`
	Schema    schemaCmd    `cmd:"" help:"Print the JSON Schema of a task, result, outcome or envelope."`
	Sim       simCmd       `cmd:"" help:"Serve simulated models over the providers' wire formats."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		os.Exit(exitCode(err))
	}
}

// app is what subcommands are given.
type app struct {
	config Config
	getenv func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// errUsage is a mistake on the command line: exit code 2.
var errUsage = errors.New("usage")

func exitCode(err error) int {
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// run parses the command line and runs one subcommand. Errors are printed here, once.
func run(
	ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer,
) error {
	var commands cli
	exited := false
	parser, err := kong.New(&commands,
		kong.Name("weir"),
		kong.Description("An asynchronous batch router for LLM work: cheap models first, dearer ones only when a check fails."),
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if exited { // --help has been printed
		return nil
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "weir: %v\n", err)
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	config, err := loadConfig(getenv)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "weir: the environment has mistakes:\n%v\n", err)
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	a := &app{config: config, getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(a)
	if err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintf(stderr, "weir: %v\n", err)
		return err
	}
	return nil
}
