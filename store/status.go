package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is a row of the view provider_status.
type Status struct {
	Scope string `json:"scope"`
	Name  string `json:"name"`
	State string `json:"state"`
	// Hard says that only a person heals it.
	Hard  bool       `json:"hard"`
	Since *time.Time `json:"since,omitempty"`
	// Until is the next probe, or the end of a limit.
	Until *time.Time `json:"until,omitempty"`
	// Openings is how often in a row it has opened.
	Openings int    `json:"openings,omitempty"`
	Failure  string `json:"failure,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Processes is how many processes refusals have slowed down, Part to which part of their share the slowest.
	Processes int      `json:"processes,omitempty"`
	Part      *float64 `json:"part,omitempty"`
}

// ProviderStatus reads what is limited or left alone, by scope and name.
func ProviderStatus(ctx context.Context, db DB) ([]Status, error) {
	rows, err := db.Query(ctx, `
		SELECT scope, name, state, hard, since, until, coalesce(openings, 0), coalesce(failure, ''), coalesce(reason, ''),
		       coalesce(processes, 0), part::float8
		FROM weir.provider_status
		ORDER BY scope, name`)
	if err != nil {
		return nil, fmt.Errorf("read provider status: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Status])
	if err != nil {
		return nil, fmt.Errorf("read provider status: %w", err)
	}
	return found, nil
}
