package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

// The README shows this function word for word.
func ask(ctx context.Context, nc *nats.Conn) (*task.Result, error) {
	p, err := producer.New(nc, producer.Config{Tenant: "acme"})
	if err != nil {
		return nil, err
	}
	ack, err := p.Publish(ctx, task.Task{ID: "ticket-4711", Feature: "ticket-triage", Input: "My card was declined."})
	if err != nil {
		return nil, err
	}
	return p.Wait(ctx, ack.ID)
}

func TestReadme_Go(t *testing.T) {
	t.Parallel()
	shown := blocks(mustRead(t, "README.md"), "go")
	require.Len(t, shown, 1)
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	require.Contains(t, string(source), "\n"+shown[0]+"\n")

	server := natstest.Start(t)
	require.NoError(t, ingest.EnsureStreams(t.Context(), server.JetStream(t), ingest.StreamConfig{}))
	nc := server.Connect(t)
	_, err = nc.Subscribe(task.Subject("acme", "*"), func(msg *nats.Msg) { answerAsWeir(t, nc, msg) })
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	result, err := ask(ctx, server.Connect(t))
	require.NoError(t, err)
	require.Equal(t, "billing", result.Output)
}

func answerAsWeir(t *testing.T, nc *nats.Conn, msg *nats.Msg) {
	t.Helper()
	items, err := task.DecodeMessage(msg.Data, task.Limits{})
	if err != nil || len(items) != 1 {
		t.Errorf("not one task: %s", msg.Data)
		return
	}
	body, err := json.Marshal(task.Result{
		ID: items[0].Task.ID, Tenant: "acme", Feature: "ticket-triage", Status: task.Succeeded, Output: "billing",
	})
	if err == nil {
		err = nc.Publish(task.ResultSubject("acme", "ticket-triage"), body)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestReadme_Tasks: what the other languages publish is a task of the contract.
func TestReadme_Tasks(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "README.md")
	const published = `{"id": "ticket-4711", "input": "My card was declined."}`
	require.Equal(t, 2, strings.Count(page, published))
	items, err := task.DecodeMessage([]byte(published), task.Limits{})
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.NoError(t, items[0].Err)

	const reported = `{"id": "ticket-4711", "success": true}`
	require.Contains(t, page, reported)
	_, err = task.DecodeOutcome([]byte(reported), task.Limits{})
	require.NoError(t, err)
}

func TestReadme_YAML(t *testing.T) {
	t.Parallel()
	shown := blocks(mustRead(t, "README.md"), "yaml")
	require.Len(t, shown, 1)
	s, err := newSetup([]byte(shown[0]))
	require.NoError(t, err)
	require.Contains(t, s.catalog.Features, "ticket-triage")
	require.Empty(t, s.catalog.Warnings())
}

func TestReadme_SQL(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	shown := blocks(mustRead(t, "README.md"), "sql")
	require.Len(t, shown, 1)
	_, err := pool.Exec(t.Context(), shown[0])
	require.NoError(t, err)
}

func TestReadme_Commands(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&cli{}, kong.Name("weir"))
	require.NoError(t, err)
	var commands []string
	for _, child := range parser.Model.Children {
		commands = append(commands, "weir "+child.Name)
	}
	require.ElementsMatch(t, commands, firstCells(mustRead(t, "README.md"), "weir [a-z]+"))
}
