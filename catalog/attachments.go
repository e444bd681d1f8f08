package catalog

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/task"
)

// Attachments bound the files that tasks bring by reference.
type Attachments struct {
	// Hosts may be fetched from by https: exact names, or *.example.com for all names below one, each with a port unless that
	// is 443. None by default.
	Hosts []string
	// Buckets of NATS's object store may be read. They are made where they are missing. Default task.DefaultBucket.
	Buckets []string
	// MaxBytes is the most bytes of one task's files together. Default 12 MiB: as base64 that is what every provider takes.
	MaxBytes int64
	// MaxCount is the most files of one task. Default 8.
	MaxCount int
	// Timeout bounds the fetching of one task's files together. Default 30 s.
	Timeout time.Duration
	// AllowPrivate permits hosts on loopback and private networks.
	AllowPrivate bool
}

// Input is a kind of content that a model reads.
type Input string

// The kinds.
const (
	InputText  Input = "text"
	InputImage Input = "image"
	InputPDF   Input = "pdf"
)

func readAttachments(o *object) Attachments {
	a := Attachments{
		Hosts:        o.texts("hosts", maxURLChars),
		Buckets:      o.some("buckets", MaxNameChars),
		MaxBytes:     o.size("max_bytes", task.DefaultAttachmentBytes, minAttachmentBytes, maxAttachmentBytes),
		MaxCount:     o.count("max_count", DefaultAttachments, 1, task.MaxAttachments),
		Timeout:      o.duration("timeout", DefaultFetchTimeout, minTimeout, maxFetchTimeout),
		AllowPrivate: o.flag("allow_private"),
	}
	if len(a.Buckets) == 0 {
		a.Buckets = []string{task.DefaultBucket}
	}
	o.close()
	for i, host := range a.Hosts {
		if mistake := checkHost(host, a.AllowPrivate); mistake != "" {
			o.r.add(index(o.at("hosts"), i), "%s", mistake)
		}
		a.Hosts[i] = strings.TrimSuffix(strings.ToLower(host), ":443")
	}
	for i, bucket := range a.Buckets {
		if strings.ContainsFunc(bucket, notInBucket) {
			o.r.add(index(o.at("buckets"), i), "%q is no bucket; write letters, digits, - and _", clip(bucket))
		}
	}
	return a
}

// checkHost says what is wrong with an entry of the allow-list.
func checkHost(entry string, allowPrivate bool) string {
	name, port, err := net.SplitHostPort(entry)
	if err != nil {
		name, port = strings.Trim(entry, "[]"), ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	plain := strings.TrimPrefix(name, "*.")
	switch {
	case plain == "" || strings.ContainsAny(entry[len(name)-len(plain):], "*/@?# "):
		return `is no host; write one such as "files.example.com", or "*.example.com" for all below it`
	case port != "" && (err != nil || number == 0):
		return "has a port that is none"
	case name != plain && !strings.Contains(plain, "."):
		return "allows a whole top-level domain"
	case private(plain) && !allowPrivate:
		return "is inside a private network; set allow_private if that is meant"
	}
	return ""
}

func notInBucket(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Check says what is wrong with a task's attachments as far as it can be known without fetching them, as one
// *task.RefusedError.
func (a Attachments) Check(list []task.Attachment) error {
	if len(list) > a.MaxCount {
		return task.Refuse(task.CodeAttachments, "the task has %d attachments; at most %d are allowed (attachments.max_count)",
			len(list), a.MaxCount)
	}
	for i, one := range list {
		bucket, _, inStore := one.Object()
		switch host := one.Host(); {
		case inStore && !slices.Contains(a.Buckets, bucket):
			return task.Refuse(task.CodeAttachments, "attachments[%d]: the bucket %q is not in attachments.buckets", i, bucket)
		case !inStore && !slices.ContainsFunc(a.Hosts, func(entry string) bool { return covers(entry, host) }):
			return task.Refuse(task.CodeAttachments, "attachments[%d]: the host %q is not in attachments.hosts", i, host)
		}
	}
	return nil
}

// covers says whether an entry of the allow-list names a host. A host without a name is never allowed.
func covers(entry, host string) bool {
	if below, wild := strings.CutPrefix(entry, "*"); wild {
		return strings.HasSuffix(host, below) && len(host) > len(below)
	}
	return entry == host && host != ""
}

// readInputs reads what a model takes; nil takes the price book's flags.
func readInputs(o *object) []Input {
	var inputs []Input
	for i, word := range o.some("input", MaxNameChars) {
		input := Input(word)
		switch {
		case input != InputText && input != InputImage && input != InputPDF:
			o.r.add(index(o.at("input"), i), "is %q; it must be %s", clip(word),
				listed([]string{string(InputText), string(InputImage), string(InputPDF)}))
		case slices.Contains(inputs, input):
			o.r.add(index(o.at("input"), i), "names %s twice", word)
		}
		inputs = append(inputs, input)
	}
	if inputs != nil && !slices.Contains(inputs, InputText) {
		o.r.add(o.at("input"), "lacks text, without which no task can be asked")
	}
	return inputs
}
