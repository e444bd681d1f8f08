package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const geminiFilePrefix = "files/"

// geminiFile is a file as Gemini's API shows it.
type geminiFile struct {
	Name           string    `json:"name"`
	DisplayName    string    `json:"displayName,omitempty"`
	MIMEType       string    `json:"mimeType"`
	SizeBytes      int       `json:"sizeBytes,string"`
	CreateTime     time.Time `json:"createTime"`
	UpdateTime     time.Time `json:"updateTime"`
	ExpirationTime time.Time `json:"expirationTime"`
	SHA256Hash     string    `json:"sha256Hash"`
	URI            string    `json:"uri"`
	DownloadURI    string    `json:"downloadUri,omitempty"`
	State          string    `json:"state"`
	Source         string    `json:"source"`
}

func viewGeminiFile(c *call, f *storedFile) geminiFile {
	sum := sha256.Sum256(f.content)
	v := geminiFile{
		Name: f.id, DisplayName: f.name, MIMEType: f.mediaType, SizeBytes: len(f.content), CreateTime: f.created.UTC(),
		UpdateTime: f.created.UTC(), ExpirationTime: f.expires.UTC(),
		SHA256Hash: base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:]))),
		URI:        c.address("/v1beta/" + f.id), State: "ACTIVE", Source: "UPLOADED",
	}
	if f.made {
		v.Source, v.DownloadURI = "GENERATED", c.address("/v1beta/"+f.id+":download?alt=media")
	}
	return v
}

func (s *Server) handleGeminiFiles(mux *http.ServeMux) {
	mux.HandleFunc("POST /upload/v1beta/files", s.asking(generate{}, s.uploadGeminiFile))
	one := func(answer func(c *call, f *storedFile) (document, *problem)) http.HandlerFunc {
		return s.asking(generate{}, func(c *call) (document, *problem) {
			s.batches.mu.Lock()
			defer s.batches.mu.Unlock()
			id, _ := strings.CutSuffix(c.r.PathValue("id"), downloadMethod)
			f := s.batches.file(geminiBatches, geminiFilePrefix+id, c.entry.At)
			if f == nil {
				return document{}, &problem{kind: notFound, message: "You do not have permission to access the File " + id + " or it may not exist."}
			}
			return answer(c, f)
		})
	}
	mux.HandleFunc("GET /v1beta/files/{id}", one(func(c *call, f *storedFile) (document, *problem) {
		if strings.HasSuffix(c.r.PathValue("id"), downloadMethod) {
			return document{body: f.content, mediaType: orDefault(f.mediaType, "application/octet-stream")}, nil
		}
		return encoded(viewGeminiFile(c, f))
	}))
	mux.HandleFunc("DELETE /v1beta/files/{id}", one(func(_ *call, f *storedFile) (document, *problem) {
		s.batches.removeFile(f)
		return document{body: []byte(`{}`)}, nil
	}))
}

const (
	downloadMethod = ":download"
	uploadID       = "upload_id"
)

// uploadGeminiFile speaks the resumable protocol: a start, which names the address for the rest, and pieces, of which one
// is the last.
func (s *Server) uploadGeminiFile(c *call) (document, *problem) {
	switch command := c.r.Header.Get("X-Goog-Upload-Command"); command {
	case "start":
		return s.startUpload(c)
	case "upload", "upload, finalize":
		return s.continueUpload(c, command != "upload")
	default:
		return document{}, invalidf("X-Goog-Upload-Command: %q is not one of start, upload, and upload, finalize", command)
	}
}

func (s *Server) startUpload(c *call) (document, *problem) {
	var r struct {
		File struct {
			Name        string `json:"name"`
			DisplayName string `json:"displayName"`
			MIMEType    string `json:"mimeType"`
		} `json:"file"`
	}
	body, problem := c.readAll(maxBody)
	if problem != nil {
		return document{}, problem
	}
	if err := json.Unmarshal(body, &r); err != nil && len(body) > 0 {
		return document{}, invalidf("Invalid JSON payload received: %v", err)
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	f := &storedFile{
		api: geminiBatches, id: r.File.Name, name: r.File.DisplayName, created: c.entry.At, open: true,
		mediaType: orDefault(r.File.MIMEType, c.r.Header.Get("X-Goog-Upload-Header-Content-Type")),
		expires:   c.entry.At.Add(orDefault(s.config.Batches.Kept, geminiKept)),
	}
	f.id = orDefault(f.id, geminiFilePrefix+s.batches.newID(s.config.Seed))
	if s.batches.file(geminiBatches, f.id, c.entry.At) != nil {
		return document{}, invalidf("%s exists", f.id)
	}
	s.batches.files = append(s.batches.files, f)
	id := strings.TrimPrefix(f.id, geminiFilePrefix)
	return document{body: []byte(`{}`), header: http.Header{
		"X-Goog-Upload-Status": {"active"},
		"X-Goog-Upload-Url":    {c.address("/upload/v1beta/files?" + uploadID + "=" + id + "&upload_protocol=resumable")},
	}}, nil
}

func (s *Server) continueUpload(c *call, last bool) (document, *problem) {
	most := orDefault(s.config.Batches.MaxBytes, geminiMaxFile)
	piece, problem := c.readAll(most)
	if problem != nil {
		return document{}, problem
	}
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	f := s.batches.upload(geminiFilePrefix + c.r.URL.Query().Get(uploadID))
	offset, err := strconv.Atoi(orDefault(c.r.Header.Get("X-Goog-Upload-Offset"), "0"))
	switch {
	case f == nil:
		return document{}, invalidf("there is no such upload")
	case err != nil || offset != len(f.content):
		return document{}, invalidf("X-Goog-Upload-Offset: the next piece begins at %d", len(f.content))
	case len(f.content)+len(piece) > most || !s.batches.hasRoom(len(piece)):
		return document{}, invalidf("The file is too large")
	}
	f.content = append(f.content, piece...)
	if !last {
		return document{body: []byte(`{}`), header: http.Header{"X-Goog-Upload-Status": {"active"}}}, nil
	}
	f.open = false
	d, problem := encoded(struct {
		File geminiFile `json:"file"`
	}{viewGeminiFile(c, f)})
	d.header = http.Header{"X-Goog-Upload-Status": {"final"}}
	return d, problem
}

// upload is a file that is still being uploaded, nil when there is none.
func (l *shelf) upload(id string) *storedFile {
	for _, f := range l.files {
		if f.api == geminiBatches && f.id == id && f.open {
			return f
		}
	}
	return nil
}
