package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/store"
)

type providersCmd struct {
	Status providersStatusCmd `cmd:"" help:"Show which models, accounts and features are limited or left alone, since when and why."`
	Reset  providersResetCmd  `cmd:"" help:"Let calls go again to a model, an account or a feature that is left alone."`
}

type providersStatusCmd struct {
	Config string `default:"weir.yaml" help:"The configuration, to list what is well too; skipped when there is no such file." type:"path"`
	JSON   bool   `name:"json" help:"One JSON object a line."`
}

// statusWell is the status of what nothing is known against.
const statusWell = "ok"

// Run shows the status of everything that is configured, and of what else is left alone.
func (c *providersStatusCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	found, err := store.ProviderStatus(ctx, pool)
	if err != nil {
		return err
	}
	configured, err := c.configured()
	if err != nil {
		return err
	}
	all := withWell(found, configured)
	if c.JSON {
		return encodeLines(a.stdout, all)
	}
	return writeStatus(a.stdout, all, time.Now())
}

// configured lists what weir.yaml names; nothing when there is no such file.
func (c *providersStatusCmd) configured() ([]store.Status, error) {
	data, err := os.ReadFile(c.Config)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	parsed, err := catalog.Parse(data)
	if err != nil {
		return nil, err
	}
	var names []store.Status
	for _, name := range parsed.UsedProviders() {
		names = append(names, store.Status{Scope: store.ScopeProvider, Name: name, State: statusWell})
	}
	for _, name := range parsed.UsedModels() {
		names = append(names, store.Status{Scope: store.ScopeModel, Name: name, State: statusWell})
	}
	return names, nil
}

// withWell puts what is found before what is well.
func withWell(found, configured []store.Status) []store.Status {
	all := append([]store.Status{}, found...)
	known := map[[2]string]bool{}
	for _, s := range found {
		known[[2]string{s.Scope, s.Name}] = true
	}
	for _, s := range configured {
		if !known[[2]string{s.Scope, s.Name}] {
			all = append(all, s)
		}
	}
	return all
}

func writeStatus(w io.Writer, all []store.Status, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "nothing is limited or left alone")
		return err
	}
	list := table{columns: []column{
		words("scope"), words("name"), words("state"), figures("for"), figures("next in"), figures("openings"), words("why"),
	}}
	for _, s := range all {
		state := s.State
		if s.Hard {
			state += ", hard"
		}
		if s.Part != nil {
			state += fmt.Sprintf(" to %.0f %%", 100**s.Part)
		}
		why := printable(s.Reason)
		if s.Failure != "" {
			why = s.Failure + ": " + why
		}
		openings := ""
		if s.Openings > 0 {
			openings = strconv.Itoa(s.Openings)
		}
		list.rows = append(list.rows, []string{
			s.Scope, s.Name, state, span(s.Since, now, -1), span(s.Until, now, 1), openings, shorten(why, maxReasonChars),
		})
	}
	return list.write(w)
}

// span is the time since (sign -1) or until (sign 1) something, in seconds; nothing for no time.
func span(at *time.Time, now time.Time, sign time.Duration) string {
	if at == nil {
		return ""
	}
	return max(0, sign*at.Sub(now)).Round(time.Second).String()
}

type providersResetCmd struct {
	Name string `arg:"" help:"The model, provider or feature, by its name in weir.yaml."`
}

// Run removes the gates of a name.
func (c *providersResetCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	keys, err := store.ResetGates(ctx, pool, c.Name)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return fmt.Errorf("nothing of the name %q is left alone; 'weir providers status' lists what is", c.Name)
	}
	for _, key := range keys {
		if _, err := fmt.Fprintf(a.stdout, "%s %s is called again\n", key.Scope, key.Name); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
