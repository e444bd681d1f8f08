package producer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/task"
)

// ErrNoBucket says that there is no such bucket: weir has not made its own on this NATS server, or JetStream is off there.
var ErrNoBucket = errors.New("there is no such bucket: is weir running on this NATS server, with JetStream on?")

// Attachment refers to a file as Attach would store it, without storing it: under its tenant and its digest, so that the
// same file always has the same reference. A file that is empty, too large, or neither an image nor a PDF is a
// *task.RefusedError.
func (p *Producer) Attachment(data []byte) (task.Attachment, error) {
	if int64(len(data)) > p.config.AttachmentBytes {
		return task.Attachment{}, task.Refuse(task.CodeTooLarge, "the file has %d bytes; the limit is %d", len(data),
			p.config.AttachmentBytes)
	}
	mediaType := media.Sniff(data)
	if mediaType == "" {
		return task.Attachment{}, task.Refuse(task.CodeAttachments, "the file is empty, or neither an image nor a PDF")
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	return task.Attachment{
		URL: task.ObjectURL(p.config.Bucket, p.config.Tenant+"/"+digest), MediaType: mediaType, SHA256: digest,
	}, nil
}

// Attach stores a file in NATS's object store and refers to it, for a task's Attachments. It returns when the file is
// stored. Storing a file again costs nothing while the stored one is young; later it renews it, so that it outlives the
// task. ErrNoBucket and ErrStreamFull say what they mean.
func (p *Producer) Attach(ctx context.Context, data []byte) (task.Attachment, error) {
	attachment, err := p.Attachment(data)
	if err != nil {
		return task.Attachment{}, fmt.Errorf("attach a file: %w", err)
	}
	_, name, _ := attachment.Object()
	patient := *p
	patient.config.Timeout += time.Duration(len(data)>>20) * time.Second // for each MiB, which may have a long way
	err = patient.retry(ctx, 0, func(ctx context.Context) error { return p.store(ctx, name, data) })
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		err = fmt.Errorf("%w (%w)", ErrNoBucket, err)
	}
	if err != nil {
		return task.Attachment{}, fmt.Errorf("attach a file: %w", err)
	}
	return attachment, nil
}

// store puts a file unless it is there already with most of its life before it.
func (p *Producer) store(ctx context.Context, name string, data []byte) error {
	bucket, err := p.js.ObjectStore(ctx, p.config.Bucket)
	if err != nil {
		return err
	}
	info, err := bucket.GetInfo(ctx, name)
	if err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return err
	}
	if err == nil && same(info, data) {
		status, err := bucket.Status(ctx)
		if err != nil || status.TTL() == 0 || p.config.Now().Sub(info.ModTime) < status.TTL()/renewAfter {
			return err
		}
	}
	_, err = bucket.PutBytes(ctx, name, data)
	return err
}

// renewAfter is the part of a file's life, as its divisor, after which it is stored anew.
const renewAfter = 4

// same holds an entry against a file: its digest is the object store's own.
func same(info *jetstream.ObjectInfo, data []byte) bool {
	sum := sha256.Sum256(data)
	return info.Size == uint64(len(data)) && info.Digest == "SHA-256="+base64.URLEncoding.EncodeToString(sum[:])
}
