package worker_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/worker"
)

func picture(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, size, size))))
	return out.Bytes()
}

// putFile stores a file where the default configuration lets tasks refer to it.
func (b *testBundle) putFile(t *testing.T, name string, data []byte) *jetstream.ObjectInfo {
	t.Helper()
	store, err := b.js.CreateOrUpdateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: task.DefaultBucket})
	require.NoError(t, err)
	info, err := store.PutBytes(t.Context(), name, data)
	require.NoError(t, err)
	return info
}

func withFile(id, name, mediaType string) string {
	return fmt.Sprintf(`{"id":%q,"feature":"triage","attachments":[{"url":"object:weir-attachments/%s","media_type":%q}]}`, id, name, mediaType)
}

func TestFiles_GoWithTheCall(t *testing.T) {
	t.Parallel()
	b := prepare(t, map[string][]answer{"gpt-6-luna": {say("maybe")}})
	data := picture(t, 2000)
	b.putFile(t, "scan.png", data)
	b.start(t)
	b.publish(t, withFile("a", "scan.png", task.MediaPNG))
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status, r.Reason)
	require.Equal(t, "sol", r.Model)
	encoded := base64.StdEncoding.EncodeToString(data)
	b.fake.mu.Lock()
	require.Equal(t, `[{"type":"image_url","image_url":{"url":"data:image/png;base64,`+encoded+`"}}]`, b.fake.prompts[0])
	require.Contains(t, b.fake.prompts[1], encoded, "the next stage has it too")
	require.Contains(t, b.fake.prompts[1], `{"type":"text","text":"An earlier answer was rejected`)
	b.fake.mu.Unlock()

	got := b.attempts(t, "a")
	require.Len(t, got, 2)
	// 63 times 63 patches at 2.46 at most, the rest of the request and 1,024 beside, at 0.125 USD per million; 20 at 0.50
	require.Less(t, *got[0].Bound, int64((9_764+64+1_024+2_000)*125_000+20*500_000))
	require.Greater(t, *got[0].Bound, int64(9_764*125_000), "pixels bound an image, not its bytes")
	ledgertest.Check(t, b.pool)
}

func TestFiles_ThatCannotBeHadFailTheTask(t *testing.T) {
	t.Parallel()
	b := prepare(t, nil)
	b.putFile(t, "page.pdf", []byte("<html>"))
	b.start(t)
	for name, want := range map[string]string{
		"gone.pdf": "attachments[0] (bucket weir-attachments): there is no such file, or it has expired",
		"page.pdf": "the file is neither an image nor a PDF that weir takes, not application/pdf as the task says",
	} {
		b.publish(t, withFile(name, name, task.MediaPDF))
		r := b.result(t)
		require.Equal(t, task.Failed, r.Status)
		require.Contains(t, r.Reason, want)
		require.Zero(t, r.CostHighUSD)
		require.Empty(t, b.attempts(t, name))
	}
	require.Zero(t, b.fake.count("gpt-6-luna"))
	ledgertest.Check(t, b.pool)
}

// breakFile leaves a file's entry and replaces its bytes: what a reader in the middle of a replacement sees.
func (b *testBundle) breakFile(t *testing.T, info *jetstream.ObjectInfo) {
	t.Helper()
	subject := "$O." + task.DefaultBucket + ".C." + info.NUID
	stream, err := b.js.Stream(t.Context(), "OBJ_"+task.DefaultBucket)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject(subject)))
	_, err = b.js.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: make([]byte, info.Size)})
	require.NoError(t, err)
}

func TestFiles_ThatAreAwayAreWaitedFor(t *testing.T) {
	t.Parallel()
	b := prepare(t, nil)
	b.breakFile(t, b.putFile(t, "scan.png", picture(t, 20)))
	b.start(t)
	b.publish(t, withFile("a", "scan.png", task.MediaPNG))
	require.Eventually(t, func() bool { return b.state(t, "a") == "parked" }, 20*time.Second, 10*time.Millisecond)
	var reason string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT reason FROM weir.tasks WHERE key = 'a'`).Scan(&reason))
	require.Contains(t, reason, "attachments[0] (bucket weir-attachments): it was not read")
	b.putFile(t, "scan.png", picture(t, 20))
	r := b.result(t)
	require.Equal(t, task.Succeeded, r.Status, r.Reason)
	require.Equal(t, 1, r.Attempts, "the waiting counted for nothing")
	require.Len(t, b.attempts(t, "a"), 1)
	ledgertest.Check(t, b.pool)
}

func TestFiles_ThatStayAwayFailTheTask(t *testing.T) {
	t.Parallel()
	b := prepare(t, nil, func(c *worker.Config) {
		c.Now = func() time.Time { return time.Now().Add(25 * time.Hour) } // a day after the task is taken in
	})
	b.breakFile(t, b.putFile(t, "scan.png", picture(t, 20)))
	b.start(t)
	b.publish(t, withFile("a", "scan.png", task.MediaPNG))
	r := b.result(t)
	require.Equal(t, task.Failed, r.Status)
	require.Contains(t, r.Reason, "it was not read")
}

// TestFiles_CostCeiling: a file that does not tell its size in tokens may be as long as the model takes.
func TestFiles_CostCeiling(t *testing.T) {
	t.Parallel()
	b := prepare(t, nil)
	b.putFile(t, "opaque.pdf", []byte("%PDF-1.7 no page in sight"))
	b.putFile(t, "clear.pdf", []byte("%PDF-1.7\n3 0 obj\n<</Type /Page>>\nendobj\n"))
	b.start(t)
	for name, want := range map[string]task.Status{"opaque.pdf": task.Failed, "clear.pdf": task.Succeeded} {
		body := withFile(name, name, task.MediaPDF)
		b.publish(t, body[:len(body)-1]+`,"max_cost_usd":"0.01"}`)
		r := b.result(t)
		require.Equal(t, want, r.Status, r.Reason)
		if want == task.Failed { // 922,000 tokens at twice 0.125 USD, and the answer
			require.Contains(t, r.Reason, "may cost up to 0.230")
		}
	}
}
