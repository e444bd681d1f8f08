package producer_test

import (
	"bytes"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/natstest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/task"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	server, now := natstest.Start(t), time.Now()
	js := server.JetStream(t)
	p, err := producer.New(server.Connect(t), producer.Config{
		Tenant: "acme", AttachmentBytes: 1000, Attempts: 1, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	data := []byte("%PDF-1.7 a document")
	_, err = p.Attach(t.Context(), data)
	require.ErrorIs(t, err, producer.ErrNoBucket)

	bucket, err := js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{
		Bucket: task.DefaultBucket, TTL: 4 * time.Hour, MaxBytes: 4000,
	})
	require.NoError(t, err)
	dry, err := p.Attachment(data)
	require.NoError(t, err)
	got, err := p.Attach(t.Context(), data)
	require.NoError(t, err)
	require.Equal(t, dry, got)
	require.NoError(t, (&task.Task{ID: "a", Feature: "f", Attachments: []task.Attachment{got}}).Check())
	require.Equal(t, task.MediaPDF, got.MediaType)
	name, stored := objectOf(t, got), func(name string) *jetstream.ObjectInfo {
		info, err := bucket.GetInfo(t.Context(), name)
		require.NoError(t, err)
		return info
	}
	first := stored(name)

	_, err = p.Attach(t.Context(), data)
	require.NoError(t, err)
	require.Equal(t, first.NUID, stored(name).NUID, "it is there already")
	now = now.Add(time.Hour + time.Minute)
	_, err = p.Attach(t.Context(), data)
	require.NoError(t, err)
	require.NotEqual(t, first.NUID, stored(name).NUID, "an old one is renewed")

	for want, bad := range map[string][]byte{
		"the file has 1001 bytes; the limit is 1000": append(bytes.Clone(data), make([]byte, 1001-len(data))...),
		"neither an image nor a PDF":                 []byte("text"),
		"the file is empty":                          nil,
	} {
		_, err := p.Attach(t.Context(), bad)
		require.ErrorContains(t, err, want)
		_, ok := task.IsRefused(err)
		require.True(t, ok)
	}
	for i := 0; err == nil && i < 10; i++ {
		_, err = p.Attach(t.Context(), append([]byte("%PDF-"+string(rune('0'+i))), make([]byte, 900)...))
	}
	require.ErrorIs(t, err, producer.ErrStreamFull)
}

func objectOf(t *testing.T, a task.Attachment) string {
	t.Helper()
	bucket, name, ok := a.Object()
	require.True(t, ok)
	require.Equal(t, task.DefaultBucket, bucket)
	return name
}

func TestDir_Attachments(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"a.pdf": {Data: []byte("%PDF-1.7")}, "b.JPG": {Data: []byte("\xff\xd8\xff")}, "c.txt": {Data: []byte("text")},
		"d.png": {Data: make([]byte, 101)},
	}
	attach := func(data []byte) (task.Attachment, error) {
		return task.Attachment{URL: task.ObjectURL("b", strconv.Itoa(len(data))), MediaType: task.MediaPDF}, nil
	}
	d := producer.Defaults{Feature: "invoice", Batch: "night", Attach: attach, AttachmentBytes: 100}
	good, bad := collect(producer.Dir(files, d))
	require.Len(t, good, 3)
	require.Equal(t, "a.pdf", good[0].ID)
	require.Empty(t, good[0].Input)
	require.Equal(t, "object:b/8", good[0].Attachments[0].URL)
	require.Len(t, good[1].Attachments, 1, "capitals make no difference")
	require.Equal(t, "text", good[2].Input)
	require.Len(t, bad, 1)
	require.ErrorContains(t, bad[0], "d.png: the file has more than 100 bytes")

	d.Attach = nil
	good, bad = collect(producer.Dir(files, d))
	require.NotEmpty(t, bad, "bytes that are no text")
	require.Equal(t, "%PDF-1.7", good[0].Input)
}
