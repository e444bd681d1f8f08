package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/weirhq/weir/catalog"
)

type configCmd struct {
	Check   configCheckCmd   `cmd:"" help:"Check weir.yaml: every mistake at once."`
	Starter configStarterCmd `cmd:"" help:"Print a commented weir.yaml to begin with."`
}

type configCheckCmd struct {
	File string `arg:"" optional:"" help:"The file; WEIR_CONFIG or weir.yaml when absent."`
}

// Run checks a weir.yaml with everything that a start would check, but for the providers' keys.
func (c *configCheckCmd) Run(a *app) error {
	file := fallback(c.File, a.config.ConfigFile)
	s, err := readSetup(file, a.config.PricingDir)
	if err != nil {
		return fmt.Errorf("%s has mistakes:\n%w", file, err)
	}
	for _, warning := range slices.Concat(s.catalog.Warnings(), s.models.Warnings(), s.models.Ending(), s.cacheWarnings()) {
		_, _ = fmt.Fprintf(a.stderr, "warning: %s\n", warning)
	}
	_, err = fmt.Fprintf(a.stdout, "%s is good: %d features, %d models, hash %s\n", file, len(s.catalog.Features),
		len(s.catalog.Models), s.catalog.Hash)
	return err
}

type configStarterCmd struct{}

// Run prints the starter.
func (configStarterCmd) Run(a *app) error {
	_, err := a.stdout.Write(catalog.Default())
	return err
}

// ensureConfig writes the starter where there is no weir.yaml yet and reports whether it did.
func ensureConfig(path string) (bool, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // no secrets are in it
	if os.IsExist(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write starter configuration: %w", err)
	}
	if _, err := file.Write(catalog.Default()); err != nil {
		_ = file.Close()
		return false, fmt.Errorf("write starter configuration: %w", err)
	}
	return true, file.Close()
}
