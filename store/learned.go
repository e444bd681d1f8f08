package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// LearnedClass is what a task's class goes by, or would have gone by.
type LearnedClass struct {
	Probabilities *[3]float64 // of L1, L2, L3; nil: nothing could be said
	From          string      // a trained model's hash, or a snapshot of pass rates
	Abstained     string      // why the model did not decide; empty where it did
}

func (l *LearnedClass) reals() []float32 {
	if l.Probabilities == nil {
		return nil
	}
	return []float32{float32(l.Probabilities[0]), float32(l.Probabilities[1]), float32(l.Probabilities[2])}
}

// array is reals as a literal: unnest takes arrays apart to their last dimension, so that an array of arrays is of no use.
func (l *LearnedClass) array() *string {
	if l.Probabilities == nil {
		return nil
	}
	parts := make([]string, 0, len(l.Probabilities))
	for _, p := range l.reals() {
		parts = append(parts, strconv.FormatFloat(float64(p), 'g', -1, 32))
	}
	literal := "{" + strings.Join(parts, ",") + "}"
	return &literal
}

// ShadowClass is the decision of a trained model that only looks on.
type ShadowClass struct {
	Model      string
	Class      task.Class // empty: it abstained
	Confidence float64
	Abstained  string
}

// insertShadows stores what looking on came to; of a task that is classified once more, the first decision stays (ON
// CONFLICT DO NOTHING).
func insertShadows(ctx context.Context, db DB, classified []Classified) error {
	var ids []uuid.UUID
	var models []string
	var classes, abstained []*string
	var confidences []float32
	for i := range classified {
		s := classified[i].Shadow
		if s == nil {
			continue
		}
		ids, models = append(ids, classified[i].TaskID), append(models, s.Model)
		classes, abstained = append(classes, nullText(s.Class)), append(abstained, nullText(s.Abstained))
		confidences = append(confidences, float32(s.Confidence))
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := db.Exec(ctx, `
		INSERT INTO weir.shadow_classes (task_id, model, class, confidence, abstained)
		SELECT id, model, class, confidence, abstained
		FROM unnest(@ids::uuid[], @models::text[], @classes::text[], @confidences::real[], @abstained::text[])
		     AS s (id, model, class, confidence, abstained)
		ORDER BY id
		ON CONFLICT (task_id, model) DO NOTHING`,
		pgx.NamedArgs{
			"ids": idArray(ids), "models": models, "classes": classes, "confidences": confidences, "abstained": abstained,
		})
	if err != nil {
		return fmt.Errorf("insert shadow classes: %w", err)
	}
	return nil
}
