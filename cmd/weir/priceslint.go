package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/weirhq/weir/pricing"
)

type pricesLintCmd struct {
	bookFlags

	Strict bool `help:"Fail on warnings too."`
	Quiet  bool `help:"Leave out warnings that do not make it fail."`
	JSON   bool `help:"Print one JSON array of findings."`
}

// Run prints what Lint finds. Errors fail it; warnings, which time alone can bring about, only when they are asked to.
func (c *pricesLintCmd) Run(a *app) error {
	book, err := c.book(a)
	if err != nil {
		return err
	}
	found := book.Lint(time.Now())
	failing := slices.DeleteFunc(slices.Clone(found), func(f pricing.Finding) bool {
		return f.Severity != pricing.Error && !c.Strict
	})
	shown := found
	if c.Quiet {
		shown = failing
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(append([]pricing.Finding{}, shown...))
	} else {
		err = writeFindings(a.stdout, book, found, shown)
	}
	if err == nil && len(failing) > 0 {
		err = fmt.Errorf("the price book has %d findings to put right", len(failing))
	}
	return err
}

func writeFindings(w io.Writer, book *pricing.Book, found, shown []pricing.Finding) error {
	for _, f := range shown {
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	errs := 0
	for _, f := range found {
		if f.Severity == pricing.Error {
			errs++
		}
	}
	_, err := fmt.Fprintf(w, "price book %.12s: %d rows, %d errors, %d warnings\n", book.Hash(), len(book.Rows()), errs,
		len(found)-errs)
	return err
}
