package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/store"
)

type modelsCmd struct {
	List     modelsListCmd     `cmd:"" help:"List the trained models, the newest first."`
	Promote  modelsPromoteCmd  `cmd:"" help:"Let a trained model decide, from its file or by its hash."`
	Shadow   modelsShadowCmd   `cmd:"" help:"Let a trained model look on, so that it can be compared before it decides."`
	Rollback modelsRollbackCmd `cmd:"" help:"Let the model decide that did before; none, where none did."`
	Vectors  modelsVectorsCmd  `cmd:"" help:"Write what a model sees of prompts, to train trees on it."`
	Import   modelsImportCmd   `cmd:"" help:"Make a model file of trees that XGBoost saved."`
}

type modelsListCmd struct {
	JSON bool `name:"json" help:"One JSON object a line."`
}

// modelsShown is the most models that are listed.
const modelsShown = 100

// Run lists the trained models.
func (c *modelsListCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	models, err := store.Classifiers(ctx, pool, modelsShown)
	if err != nil {
		return err
	}
	t := table{columns: []column{words("hash"), words("role"), words("added"), words("embedder"), figures("rows")}}
	for _, m := range models {
		if c.JSON {
			if err := json.NewEncoder(a.stdout).Encode(m); err != nil {
				return err
			}
			continue
		}
		about := struct {
			Embedder string `json:"embedder"`
			Training struct {
				Rows int `json:"rows"`
			} `json:"training"`
		}{}
		if err := json.Unmarshal(m.About, &about); err != nil {
			return fmt.Errorf("read what is known of model %s: %w", m.Hash, err)
		}
		t.rows = append(t.rows, []string{
			m.Hash[:min(len(m.Hash), shortHash)], orNone(text(m.Role), "none"), m.AddedAt.UTC().Format(time.RFC3339), about.Embedder,
			showCount(about.Training.Rows),
		})
	}
	if c.JSON {
		return nil
	}
	return t.write(a.stdout)
}

// shortHash is how much of a hash people are shown; it is enough to name a model by.
const shortHash = 12

// modelArg names a trained model.
type modelArg struct {
	Model string `arg:"" help:"A file that 'weir train' wrote, or the beginning of a stored model's hash."`
}

type modelsPromoteCmd struct {
	modelArg `embed:""`
}

// Help is the long help.
func (modelsPromoteCmd) Help() string {
	return `The model is stored in the database, and every process takes it over with its next look, within ten seconds. It
decides the tasks that nothing else decides: see classifier.order in weir.yaml. What it says is stored with each task.`
}

// Run lets a model decide.
func (c *modelsPromoteCmd) Run(ctx context.Context, a *app) error {
	return c.give(ctx, a, store.RoleActive, "decides")
}

type modelsShadowCmd struct {
	Model string `arg:"" optional:"" help:"A file that 'weir train' wrote, or the beginning of a stored model's hash."`
	Off   bool   `help:"Let none look on any longer."`
}

// Help is the long help.
func (modelsShadowCmd) Help() string {
	return `A model that looks on decides nothing. What it would have decided is stored with each task that it could have decided:
the view weir.shadow_comparison has both, and how the first answers went.`
}

// Run lets a model look on.
func (c *modelsShadowCmd) Run(ctx context.Context, a *app) error {
	if c.Off == (c.Model != "") {
		return fmt.Errorf("%w: name a model, or say --off", errUsage)
	}
	if !c.Off {
		return (&modelArg{Model: c.Model}).give(ctx, a, store.RoleShadow, "looks on")
	}
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return store.GiveRole(ctx, tx, time.Now(), store.RoleShadow, "") })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, "no model looks on")
	return err
}

// give stores the model where it is a file, and gives it a role.
func (c *modelArg) give(ctx context.Context, a *app, role, does string) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	hash, err := c.stored(ctx, a, pool)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return store.GiveRole(ctx, tx, time.Now(), role, hash) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "model %s %s\n", hash[:min(len(hash), shortHash)], does)
	return err
}

// stored is the hash of the model in the database; a file is stored first.
func (c *modelArg) stored(ctx context.Context, a *app, pool *pgxpool.Pool) (string, error) {
	data, err := os.ReadFile(c.Model)
	if errors.Is(err, os.ErrNotExist) {
		return c.known(ctx, pool)
	}
	if err != nil {
		return "", err
	}
	known, done := a.embedders()
	defer done()
	m, _, err := readModel(ctx, known, bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.Model, err)
	}
	about, err := json.Marshal(m.Parameters().Header)
	if err != nil {
		return "", fmt.Errorf("encode what is known of the model: %w", err)
	}
	return m.Hash(), store.AddClassifier(ctx, pool, time.Now(), m.Hash(), data, about)
}

// known finds a stored model by the beginning of its hash.
func (c *modelArg) known(ctx context.Context, pool *pgxpool.Pool) (string, error) {
	models, err := store.Classifiers(ctx, pool, modelsShown)
	if err != nil {
		return "", err
	}
	var found []string
	for _, m := range models {
		if strings.HasPrefix(m.Hash, c.Model) {
			found = append(found, m.Hash)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%q is neither a file nor a stored model; 'weir classifier list' has those", c.Model)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q is the beginning of %d models' hashes; write more of it", c.Model, len(found))
}

type modelsRollbackCmd struct{}

// Run goes back to the model before.
func (c *modelsRollbackCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	earlier := ""
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var err error
		if earlier, err = store.EarlierClassifier(ctx, tx); err != nil {
			return err
		}
		return store.GiveRole(ctx, tx, time.Now(), store.RoleActive, earlier)
	})
	if errors.Is(err, store.ErrNoClassifier) {
		return errors.New("no trained model has ever decided, so there is none to go back from")
	}
	if err != nil {
		return err
	}
	said := "no model decides"
	if earlier != "" {
		said = "model " + earlier[:min(len(earlier), shortHash)] + " decides"
	}
	_, err = fmt.Fprintln(a.stdout, said)
	return err
}
