package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The roles of trained models.
const (
	RoleActive = "active" // it decides
	RoleShadow = "shadow" // it looks on
)

// ErrNoClassifier means that no trained model has the hash that was asked for, or the role.
var ErrNoClassifier = errors.New("no such classifier model")

// ClassifierModel is a trained model as it is stored.
type ClassifierModel struct {
	Hash    string
	About   json.RawMessage
	AddedAt time.Time
	Role    *string // nil: none at the moment
}

// ClassifierRoles are the hashes of the models that have a role; empty without one.
type ClassifierRoles struct{ Active, Shadow string }

// AddClassifier stores a trained model under its hash (ON CONFLICT DO NOTHING: the hash is the content's).
func AddClassifier(ctx context.Context, db DB, now time.Time, hash string, file []byte, about json.RawMessage) error {
	_, err := db.Exec(ctx, `
		INSERT INTO weir.classifier_models (hash, file, about, added_at)
		VALUES (@hash, @file, @about, @now)
		ON CONFLICT (hash) DO NOTHING`,
		pgx.NamedArgs{"hash": hash, "file": file, "about": about, "now": now})
	if err != nil {
		return fmt.Errorf("add classifier model: %w", err)
	}
	return nil
}

// ClassifierFile reads a trained model. The error is ErrNoClassifier where there is none of that hash.
func ClassifierFile(ctx context.Context, db DB, hash string) ([]byte, error) {
	var file []byte
	err := db.QueryRow(ctx, `SELECT file FROM weir.classifier_models WHERE hash = @hash`, pgx.NamedArgs{"hash": hash}).Scan(&file)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("%w: %s", ErrNoClassifier, hash)
	}
	if err != nil {
		return nil, fmt.Errorf("read classifier model: %w", err)
	}
	return file, nil
}

// CurrentClassifiers reads which models have a role.
func CurrentClassifiers(ctx context.Context, db DB) (ClassifierRoles, error) {
	var roles ClassifierRoles
	err := db.QueryRow(ctx, `
		SELECT coalesce((SELECT hash FROM weir.classifier_changes WHERE role = 'active' ORDER BY id DESC LIMIT 1), ''),
		       coalesce((SELECT hash FROM weir.classifier_changes WHERE role = 'shadow' ORDER BY id DESC LIMIT 1), '')`).
		Scan(&roles.Active, &roles.Shadow)
	if err != nil {
		return roles, fmt.Errorf("read classifier roles: %w", err)
	}
	return roles, nil
}

// GiveRole gives a role to the trained model of a hash, or to none where it is empty. A model that comes to decide looks on
// no longer. The error is ErrNoClassifier where there is none of that hash.
func GiveRole(ctx context.Context, tx DB, now time.Time, role, hash string) error {
	if hash != "" {
		var there bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM weir.classifier_models WHERE hash = @hash)`,
			pgx.NamedArgs{"hash": hash}).Scan(&there)
		if err != nil {
			return fmt.Errorf("read classifier model: %w", err)
		}
		if !there {
			return fmt.Errorf("%w: %s", ErrNoClassifier, hash)
		}
	}
	roles, err := CurrentClassifiers(ctx, tx)
	if err != nil {
		return err
	}
	if role == RoleActive && hash != "" && roles.Shadow == hash {
		if err := changeRole(ctx, tx, now, RoleShadow, ""); err != nil {
			return err
		}
	}
	return changeRole(ctx, tx, now, role, hash)
}

func changeRole(ctx context.Context, db DB, now time.Time, role, hash string) error {
	_, err := db.Exec(ctx, `
		INSERT INTO weir.classifier_changes (role, hash, changed_at) VALUES (@role, @hash, @now)`,
		pgx.NamedArgs{"role": role, "hash": nullText(hash), "now": now})
	if err != nil {
		return fmt.Errorf("change classifier role: %w", err)
	}
	return nil
}

// EarlierClassifier is the model that decided before the one that does now; empty where none did. The error is
// ErrNoClassifier where no model has ever decided.
func EarlierClassifier(ctx context.Context, db DB) (string, error) {
	rows, err := db.Query(ctx, `
		SELECT coalesce(hash, '') FROM weir.classifier_changes WHERE role = 'active' ORDER BY id DESC LIMIT 2`)
	if err != nil {
		return "", fmt.Errorf("read classifier changes: %w", err)
	}
	last, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", fmt.Errorf("read classifier changes: %w", err)
	}
	switch len(last) {
	case 0:
		return "", ErrNoClassifier
	case 1:
		return "", nil
	}
	return last[1], nil
}

// Classifiers lists the trained models, the newest first.
func Classifiers(ctx context.Context, db DB, limit int) ([]ClassifierModel, error) {
	rows, err := db.Query(ctx, `
		WITH roles AS (
		    SELECT DISTINCT ON (role) role, hash FROM weir.classifier_changes ORDER BY role, id DESC)
		SELECT m.hash, m.about, m.added_at, (SELECT min(r.role) FROM roles r WHERE r.hash = m.hash) AS role
		FROM weir.classifier_models m
		ORDER BY m.added_at DESC, m.hash
		LIMIT @limit`, pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("list classifier models: %w", err)
	}
	models, err := pgx.CollectRows(rows, pgx.RowToStructByName[ClassifierModel])
	if err != nil {
		return nil, fmt.Errorf("list classifier models: %w", err)
	}
	return models, nil
}
