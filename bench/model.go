package main

import (
	"context"
	"strings"

	"github.com/weirhq/weir/providers/sim"
)

// The models that both pipelines may call, by the provider's names, and the labels that they choose from.
const (
	miniModel = "gpt-6-luna"
	midModel  = "gpt-6.2-sol"
	labels    = "billing, delivery, technical, account, other"
	system    = "Which queue does the message belong to? Answer with exactly one of these words: " + labels + "."
)

// serveModel runs the simulator: models that answer at once and are never wrong, so that every task takes one call.
func serveModel(ctx context.Context, p *peer) error {
	sure := sim.ModelProfile{Skill: 1 << 20}
	server, err := sim.New(sim.Config{
		Instant: true, Tokens: sim.TokensBytes, LedgerEntries: 1,
		Models: map[string]sim.ModelProfile{miniModel: sure, midModel: sure},
	})
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }() //nolint:contextcheck // closing outlives ctx; no ledger can be lost
	if err := server.Start(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	if err := p.ready(server.URL()); err != nil {
		return err
	}
	return p.wait()
}

// isLabel reports whether a model's answer is one of the labels.
func isLabel(output string) bool {
	for label := range strings.SplitSeq(labels, ", ") {
		if output == label {
			return true
		}
	}
	return false
}
