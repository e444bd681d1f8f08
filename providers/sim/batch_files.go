package sim

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// storedFile is a file at the provider. It is guarded by the shelf's mutex.
type storedFile struct {
	api batchAPI
	// id has the API's own prefix.
	id, name, purpose, mediaType string
	content                      []byte
	created, expires             time.Time
	// open says that it is still being uploaded, made that it is a batch's results.
	open, made bool
}

const (
	openAIFilePrefix = "file-"
	purposeBatch     = "batch"
)

// file is a file of an API that is whole and has not expired, nil when there is none.
func (l *shelf) file(api batchAPI, id string, now time.Time) *storedFile {
	l.files = slices.DeleteFunc(l.files, func(f *storedFile) bool { return !now.Before(f.expires) })
	for _, f := range l.files {
		if f.api == api && f.id == id && !f.open {
			return f
		}
	}
	return nil
}

// hasRoom says that so many bytes can be uploaded.
func (l *shelf) hasRoom(bytes int) bool {
	for _, f := range l.files {
		bytes += len(f.content)
	}
	return bytes <= maxStored
}

func (l *shelf) removeFile(f *storedFile) {
	l.files = slices.DeleteFunc(l.files, func(other *storedFile) bool { return other == f })
}

// fileView is a file as OpenAI's API shows it.
type fileView struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Bytes     int    `json:"bytes"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt int64  `json:"expires_at"`
	Filename  string `json:"filename"`
	Purpose   string `json:"purpose"`
	Status    string `json:"status"`
}

func viewFile(f *storedFile) fileView {
	return fileView{
		ID: f.id, Object: "file", Bytes: len(f.content), CreatedAt: f.created.Unix(), ExpiresAt: f.expires.Unix(),
		Filename: f.name, Purpose: f.purpose, Status: "processed",
	}
}

func (s *Server) handleOpenAIFiles(mux *http.ServeMux) {
	const root = "/v1/files"
	mux.HandleFunc("POST "+root, s.asking(completions{}, s.uploadFile))
	mux.HandleFunc("GET "+root, s.asking(completions{}, s.listFiles))
	one := func(answer func(f *storedFile) (document, *problem)) http.HandlerFunc {
		return s.asking(completions{}, func(c *call) (document, *problem) {
			s.batches.mu.Lock()
			defer s.batches.mu.Unlock()
			id := c.r.PathValue("id")
			f := s.batches.file(openAIBatches, id, c.entry.At)
			if f == nil {
				return document{}, &problem{kind: notFound, message: "No such File object: " + id}
			}
			return answer(f)
		})
	}
	mux.HandleFunc("GET "+root+"/{id}", one(func(f *storedFile) (document, *problem) { return encoded(viewFile(f)) }))
	mux.HandleFunc("GET "+root+"/{id}/content", one(func(f *storedFile) (document, *problem) {
		return document{body: f.content, mediaType: "application/octet-stream"}, nil
	}))
	mux.HandleFunc("DELETE "+root+"/{id}", one(func(f *storedFile) (document, *problem) {
		s.batches.removeFile(f)
		return document{body: []byte(`{"id":"` + f.id + `","object":"file","deleted":true}`)}, nil
	}))
}

// uploadFile takes a file for a batch; other purposes are not played.
func (s *Server) uploadFile(c *call) (document, *problem) {
	f, problem := c.readUpload(orDefault(s.config.Batches.MaxBytes, openAIMaxBytes))
	if problem != nil {
		return document{}, problem
	}
	if f.purpose != purposeBatch {
		return document{}, invalidf("Invalid value for 'purpose': %q. The simulator takes files for 'batch' only.", f.purpose)
	}
	if f.content == nil {
		return document{}, invalidf("'file' is a required property")
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	if !s.batches.hasRoom(len(f.content)) {
		return document{}, invalidf("The storage of the simulator is full: delete files")
	}
	f.id = openAIFilePrefix + s.batches.newID(s.config.Seed)
	s.batches.files = append(s.batches.files, f)
	return encoded(viewFile(f))
}

// maxFormField is the longest field of a form beside the file.
const maxFormField = 1 << 10

// readUpload reads the form of an upload.
func (c *call) readUpload(most int) (*storedFile, *problem) {
	f := &storedFile{api: openAIBatches, created: c.entry.At}
	f.expires = f.created.Add(orDefault(c.server.config.Batches.Kept, openAIKept))
	form, err := c.r.MultipartReader()
	if err != nil {
		return nil, invalidf("The body is no form: %v", err)
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, invalidf("The form cannot be read: %v", err)
		}
		limit := maxFormField
		if part.FormName() == "file" {
			limit = most
		}
		content, err := io.ReadAll(io.LimitReader(part, int64(limit)+1))
		switch {
		case err != nil:
			return nil, invalidf("The form cannot be read: %v", err)
		case len(content) > limit:
			return nil, &problem{kind: tooLarge, message: "The field " + part.FormName() + " exceeds " + strconv.Itoa(limit) + " bytes"}
		}
		switch part.FormName() {
		case "file":
			f.content, f.name = content, part.FileName()
		case "purpose":
			f.purpose = string(content)
		case "expires_after[seconds]":
			seconds, err := strconv.Atoi(string(content))
			if err != nil || seconds < 3600 || seconds > 2_592_000 {
				return nil, invalidf("Invalid 'expires_after[seconds]': must be from 3600 to 2592000.")
			}
			f.expires = f.created.Add(time.Duration(seconds) * time.Second)
		}
	}
}

func (s *Server) listFiles(c *call) (document, *problem) {
	limit, problem := c.limitOf("limit", 10_000, 10_000)
	if problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	query := c.r.URL.Query()
	after, purpose := query.Get("after"), query.Get("purpose")
	skipping := after != ""
	views, more := []fileView{}, false
	for _, f := range slices.Backward(s.batches.files) {
		switch {
		case f.api != openAIBatches || purpose != "" && f.purpose != purpose || !c.entry.At.Before(f.expires):
		case skipping:
			skipping = f.id != after
		case len(views) == limit:
			more = true
		default:
			views = append(views, viewFile(f))
		}
	}
	return listed(views, more, func(v fileView) string { return v.ID })
}
