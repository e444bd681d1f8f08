package task

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The media types of attachments.
const (
	MediaPNG  = "image/png"
	MediaJPEG = "image/jpeg"
	MediaWebP = "image/webp"
	MediaGIF  = "image/gif"
	MediaPDF  = "application/pdf"
)

// MediaTypes are those that an attachment may have.
func MediaTypes() []string { return []string{MediaPNG, MediaJPEG, MediaWebP, MediaGIF, MediaPDF} }

// DefaultBucket is the bucket of NATS's object store that weir makes for attachments.
const DefaultBucket = "weir-attachments"

// DefaultAttachmentBytes is the most bytes of one task's files together, unless weir.yaml says otherwise.
const DefaultAttachmentBytes = 12 << 20

// The forms of an attachment's fields, as regular expressions that mean the same in RE2 and in ECMA-262. A name in the
// object store is visible ASCII, because it goes into logs and command lines.
const (
	PatternAttachmentURL = `^(https://[^\x00-\x20\x7f-\x9f\\/?#@]+([/?][^\x00-\x20\x7f-\x9f#]*)?` +
		`|object:[A-Za-z0-9_-]{1,64}/[!-~]+)$`
	PatternSHA256 = `^[0-9a-f]{64}$`
)

// Object is the bucket and the name of an attachment in NATS's object store; false when it is elsewhere.
func (a Attachment) Object() (bucket, name string, ok bool) {
	reference, ok := strings.CutPrefix(a.URL, "object:")
	if !ok {
		return "", "", false
	}
	bucket, name, ok = strings.Cut(reference, "/")
	return bucket, name, ok
}

// ObjectURL refers to a file in NATS's object store.
func ObjectURL(bucket, name string) string { return "object:" + bucket + "/" + name }

// Host is the host of an attachment that is fetched by https, with its port unless that is 443; empty when it is
// elsewhere.
func (a Attachment) Host() string {
	u, err := url.Parse(a.URL)
	if err != nil || u.Scheme != "https" {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Host), ":443")
}

func (c *checker) attachments(list []Attachment) {
	if len(list) == 0 {
		return
	}
	if len(list) > MaxAttachments {
		c.add(CodeInvalidValue, "attachments has more than %d entries", MaxAttachments)
	}
	reference, digest := regexp.MustCompile(PatternAttachmentURL), regexp.MustCompile(PatternSHA256)
	for i, a := range list {
		field := fmt.Sprintf("attachments[%d]", i)
		c.atMost(field+".url", a.URL, MaxURLChars)
		_, _, inStore := a.Object()
		if !reference.MatchString(a.URL) || !inStore && a.Host() == "" {
			c.add(codeOf(a.URL), "%s.url must be https://host/path or object:bucket/name", field)
		}
		if !slices.Contains(MediaTypes(), a.MediaType) {
			c.add(codeOf(a.MediaType), "%s.media_type must be one of %s", field, strings.Join(MediaTypes(), ", "))
		}
		if a.SHA256 != "" && !digest.MatchString(a.SHA256) {
			c.add(CodeInvalidValue, "%s.sha256 must be 64 lower-case hex digits", field)
		}
	}
}
