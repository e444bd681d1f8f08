package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// marker remembers in the user's cache directory how much of a source is published, so that an interrupted command goes
// on where it stopped. It saves time and nothing more: publishing a task again is harmless. A nil marker remembers
// nothing, and one that cannot be written is passed over.
type marker struct {
	path   string
	source string
	saved  time.Time
}

// marked is the content of a marker's file.
type marked struct {
	Source    string `json:"source"` // for people who look into the directory
	Published int    `json:"published"`
}

// markerEvery is how often a marker is written; what was published since is published again.
const markerEvery = 500 * time.Millisecond

// newMarker is the marker of a source for a purpose: everything else that decides what is published and where. A file
// that has changed since has another one.
func newMarker(cacheDir, source string, purpose any) (*marker, error) {
	if cacheDir == "" {
		return nil, nil //nolint:nilnil // a nil marker is ready for use
	}
	source, err := filepath.Abs(source)
	if err != nil {
		return nil, fmt.Errorf("find the source: %w", err)
	}
	about, err := json.Marshal(purpose)
	if err != nil {
		return nil, fmt.Errorf("encode marker: %w", err)
	}
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %s\n", source, about)
	err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(sum, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", source, err)
	}
	name := hex.EncodeToString(sum.Sum(nil)[:16]) + ".json"
	return &marker{path: filepath.Join(cacheDir, "publish", name), source: source}, nil
}

// cacheDir is weir's directory for what can be lost; empty where the environment names no place for it.
func (a *app) cacheDir() string {
	if dir := a.getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "weir")
	}
	if home := a.getenv("HOME"); home != "" {
		return filepath.Join(home, ".cache", "weir")
	}
	return ""
}

// read is how much an earlier run has published, 0 when that cannot be.
func (m *marker) read(total int) int {
	if m == nil {
		return 0
	}
	data, err := os.ReadFile(m.path)
	if err != nil {
		return 0
	}
	var was marked
	if json.Unmarshal(data, &was) != nil || was.Published < 0 || was.Published > total {
		return 0
	}
	return was.Published
}

// write keeps a count unless the last one is fresh.
func (m *marker) write(published int) {
	if m == nil || time.Since(m.saved) < markerEvery {
		return
	}
	m.keep(published)
}

func (m *marker) keep(published int) {
	if m == nil {
		return
	}
	m.saved = time.Now()
	data, err := json.Marshal(marked{Source: m.source, Published: published})
	if err != nil || os.MkdirAll(filepath.Dir(m.path), 0o700) != nil {
		return
	}
	_ = writeAtomically(m.path, func(file *os.File) error {
		_, err := file.Write(data)
		return err
	})
}

func (m *marker) remove() {
	if m != nil {
		_ = os.Remove(m.path)
	}
}

// writeAtomically writes a file that is there as a whole or not at all. Only its owner may read it.
func writeAtomically(path string, write func(*os.File) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
