package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// What a class goes by is stored alike on both ways of a task to its class.
func TestLearnedClass(t *testing.T) {
	t.Parallel()
	b := setup(t)
	learned := &store.LearnedClass{Probabilities: &[3]float64{0.25, 0.5, 0.25}, From: "hash", Abstained: "unlike"}
	shadow := &store.ShadowClass{Model: "other", Class: task.L3, Confidence: 0.75}
	onTheWayIn := b.newTask(func(n *store.NewTask) {
		n.Classified = &store.Classified{
			Class: task.L2, Source: "default", PlanID: b.plan, Model: miniModel, Learned: learned, Shadow: shadow,
		}
	})
	inAJob, plain := b.newTask(), b.newTask()
	_, err := store.InsertTasks(t.Context(), b.pool, id(), time.Now(), []store.NewTask{onTheWayIn, inAJob, plain})
	require.NoError(t, err)
	classified := []store.Classified{
		{
			TaskID: inAJob.ID, Class: task.L2, Source: "default", PlanID: b.plan, Model: miniModel, Learned: learned,
			Shadow: &store.ShadowClass{Model: "other", Abstained: "unsure"},
		},
		{TaskID: plain.ID, Class: task.L1, Source: "feature", Confidence: 1, PlanID: b.plan, Model: miniModel},
	}
	require.NoError(t, store.MarkReady(t.Context(), b.pool, classified))
	require.NoError(t, store.MarkReady(t.Context(), b.pool, classified), "once more is no error")

	for _, learnt := range []store.NewTask{onTheWayIn, inAJob} {
		require.Equal(t, 1, b.count(`weir.explanations WHERE task_id = $1 AND p_l1 = 0.25 AND p_l2 = 0.5 AND p_l3 = 0.25
			AND class_learned = 'hash' AND class_abstained = 'unlike'`, learnt.ID))
	}
	require.Equal(t, 1, b.count(`weir.explanations WHERE task_id = $1 AND plan = 'mini > mid'
		AND p_l1 IS NULL AND class_learned IS NULL AND class_abstained IS NULL`, plain.ID))
	require.Equal(t, 1, b.count(`weir.shadow_classes WHERE task_id = $1 AND class = 'L3' AND confidence = 0.75`, onTheWayIn.ID))
	require.Equal(t, 1, b.count(`weir.shadow_classes WHERE task_id = $1 AND class IS NULL AND abstained = 'unsure'`, inAJob.ID))
	require.Equal(t, 2, b.count(`weir.shadow_comparison WHERE shadow = 'other' AND class = 'L2' AND tasks = 1
		AND shadow_class IN ('L3', 'abstained')`))
}

func TestClassifiers_Roles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, now := t.Context(), time.Now()
	for i, hash := range []string{"a", "b"} {
		require.NoError(t, store.AddClassifier(ctx, b.pool, now.Add(time.Duration(i)*time.Second), hash, []byte(hash), []byte(`{"n": 1}`)))
	}
	require.NoError(t, store.AddClassifier(ctx, b.pool, now, "a", []byte("a"), []byte(`{}`)), "it is there already")
	file, err := store.ClassifierFile(ctx, b.pool, "b")
	require.NoError(t, err)
	require.Equal(t, []byte("b"), file)
	_, err = store.ClassifierFile(ctx, b.pool, "c")
	require.ErrorIs(t, err, store.ErrNoClassifier)
	_, err = store.EarlierClassifier(ctx, b.pool)
	require.ErrorIs(t, err, store.ErrNoClassifier)

	require.ErrorIs(t, store.GiveRole(ctx, b.pool, now, store.RoleActive, "c"), store.ErrNoClassifier)
	steps := []struct {
		role, hash string
		want       store.ClassifierRoles
		earlier    string
	}{
		{store.RoleActive, "a", store.ClassifierRoles{Active: "a"}, ""},
		{store.RoleShadow, "b", store.ClassifierRoles{Active: "a", Shadow: "b"}, ""},
		{store.RoleActive, "b", store.ClassifierRoles{Active: "b"}, "a"}, // it looks on no longer
		{store.RoleActive, "", store.ClassifierRoles{}, "b"},
	}
	for _, step := range steps {
		require.NoError(t, store.GiveRole(ctx, b.pool, now, step.role, step.hash))
		roles, err := store.CurrentClassifiers(ctx, b.pool)
		require.NoError(t, err)
		require.Equal(t, step.want, roles)
		earlier, err := store.EarlierClassifier(ctx, b.pool)
		require.NoError(t, err)
		require.Equal(t, step.earlier, earlier)
	}
	require.NoError(t, store.GiveRole(ctx, b.pool, now, store.RoleShadow, "a"))
	models, err := store.Classifiers(ctx, b.pool, 10)
	require.NoError(t, err)
	require.Len(t, models, 2)
	require.Equal(t, "b", models[0].Hash)
	require.Nil(t, models[0].Role)
	require.Equal(t, store.RoleShadow, *models[1].Role)
}
