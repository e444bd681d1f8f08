package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/weirhq/weir/migrations"
	"github.com/weirhq/weir/store"
)

type verifyCmd struct {
	JSON bool `help:"Print one JSON object."`
}

// errViolated is the end of a verification that found something: exit code 1.
var errViolated = errors.New("the ledger does not hold; look at the rows above before anything else")

// Run checks the ledger's invariants, the recomputation of every cost among them. It only reads.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrations.Check(ctx, pool); err != nil {
		return err
	}
	v, err := verify(ctx, pool)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(v)
	} else {
		err = v.writeText(a.stdout)
	}
	if err == nil && len(v.Violations) > 0 {
		err = errViolated
	}
	return err
}

// verification is what was checked and what was found.
type verification struct {
	Checks int `json:"checks"`
	// Recomputed is how many costs were worked out again, PriceRows by how many rows of the price book.
	Recomputed int64             `json:"recomputed"`
	PriceRows  int64             `json:"price_rows"`
	Violations []store.Violation `json:"violations"`
}

// verify checks each rule by itself: processes at work may change the ledger between two of them, but never break one.
func verify(ctx context.Context, db store.DB) (*verification, error) {
	rules := append(store.Invariants(), store.BookInvariants()...)
	v := &verification{Checks: len(rules), Violations: []store.Violation{}}
	for _, rule := range rules {
		violation, err := rule.Check(ctx, db)
		if err != nil {
			return nil, err
		}
		if violation != nil {
			v.Violations = append(v.Violations, *violation)
		}
	}
	var err error
	v.Recomputed, v.PriceRows, err = store.CountRecomputed(ctx, db)
	return v, err
}

func (v *verification) writeText(w io.Writer) error {
	if len(v.Violations) == 0 {
		_, err := fmt.Fprintf(w, "the ledger holds: %d rules, no violation; %d costs worked out again by %d rows of the price book\n",
			v.Checks, v.Recomputed, v.PriceRows)
		return err
	}
	for _, violation := range v.Violations {
		_, err := fmt.Fprintf(w, "%s: %s\n  broken by %d rows, such as %s\n", violation.Invariant, violation.Rule,
			violation.Count, strings.Join(violation.Rows, ", "))
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d rules are violated\n", len(v.Violations), v.Checks)
	return err
}
