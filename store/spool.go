package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Spool keeps paid answers on disk while Postgres is away, so that a crash in that time does not lose what they cost. A
// process writes one file, named after its boot id; the next start replays every file whose process is gone.
type Spool struct {
	dir  string
	file string // its own

	mu   sync.Mutex
	kept map[uuid.UUID]bool
}

const (
	spoolSuffix = ".spool.jsonl"
	// spoolLine is the longest line of a spool: an answer of the largest body, escaped.
	spoolLine = 128 << 20
	// spoolChunk is how many settlements are replayed in one transaction.
	spoolChunk = 100
)

// NewSpool uses a directory, which it makes when it is missing.
func NewSpool(dir string, boot uuid.UUID) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	return &Spool{dir: dir, file: filepath.Join(dir, boot.String()+spoolSuffix), kept: map[uuid.UUID]bool{}}, nil
}

// Keep appends the settlements that are not kept yet and syncs the file.
func (s *Spool) Keep(settlements []Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []byte
	var fresh []uuid.UUID
	for i := range settlements {
		if s.kept[settlements[i].AttemptID] {
			continue
		}
		line, err := encodeLine(settlements[i])
		if err != nil {
			return err
		}
		lines = append(lines, line...)
		fresh = append(fresh, settlements[i].AttemptID)
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.append(lines); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	for _, id := range fresh {
		s.kept[id] = true
	}
	return nil
}

func encodeLine(s Settlement) ([]byte, error) {
	line, err := json.Marshal(s)
	if err != nil { // a provider's usage that is no JSON: Postgres would refuse it too
		line, err = json.Marshal(s.bare())
	}
	if err != nil {
		return nil, fmt.Errorf("encode settlement: %w", err)
	}
	return append(line, '\n'), nil
}

// append writes lines as a whole or not at all, so that only a crash can leave a torn line, and only as the last one.
func (s *Spool) append(lines []byte) error {
	file, err := os.OpenFile(s.file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if _, err = file.Write(lines); err == nil {
		err = file.Sync()
	}
	if err != nil { // a full disk
		err = errors.Join(err, file.Truncate(info.Size()))
	}
	if err == nil && info.Size() == 0 {
		err = syncDir(s.dir)
	}
	return errors.Join(err, file.Close())
}

// syncDir makes the name of a new file as durable as its content.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Forget drops settlements that Postgres has by now. The file goes with the last of those that were kept in it.
func (s *Spool) Forget(settlements []Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return nil
	}
	for i := range settlements {
		delete(s.kept, settlements[i].AttemptID)
	}
	if len(s.kept) > 0 {
		return nil
	}
	if err := os.Remove(s.file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("clear spool: %w", err)
	}
	return nil
}

// Replay settles what earlier processes left and removes their files. It returns how many settlements it read. Settling
// is by attempt, so a file that is replayed twice changes nothing. Call it before the process registers, on a directory
// that only one process uses at a time.
func (s *Spool) Replay(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "*"+spoolSuffix))
	if err != nil {
		return 0, fmt.Errorf("find spools: %w", err)
	}
	total := 0
	for _, path := range files {
		settlements, err := readSpool(path)
		if err != nil {
			return total, err
		}
		for chunk := range slices.Chunk(settlements, spoolChunk) {
			if err := replayChunk(ctx, pool, chunk); err != nil {
				return total, fmt.Errorf("replay spool %s: %w", filepath.Base(path), err)
			}
		}
		total += len(settlements)
		if err := os.Remove(path); err != nil {
			return total, fmt.Errorf("remove replayed spool: %w", err)
		}
	}
	return total, nil
}

// replayChunk halves what Postgres refuses for its data, until the poisoned settlement is alone and goes without its
// provider's words.
func replayChunk(ctx context.Context, pool *pgxpool.Pool, settlements []Settlement) error {
	_, err := settleTx(ctx, pool, settlements)
	if !DataError(err) {
		return err
	}
	if len(settlements) == 1 {
		_, err = settleTx(ctx, pool, []Settlement{settlements[0].bare()})
		return err
	}
	half := len(settlements) / 2
	if err := replayChunk(ctx, pool, settlements[:half]); err != nil {
		return err
	}
	return replayChunk(ctx, pool, settlements[half:])
}

func readSpool(path string) ([]Settlement, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	defer func() { _ = file.Close() }()
	var settlements []Settlement
	reader := bufio.NewReaderSize(io.LimitReader(file, 1<<40), 1<<20)
	for {
		line, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return settlements, nil // a last line without its end was never synced: its writer died in it
		}
		if err != nil {
			return nil, fmt.Errorf("read spool: %w", err)
		}
		if len(line) > spoolLine {
			return nil, fmt.Errorf("read spool %s: a line is longer than %d bytes", filepath.Base(path), spoolLine)
		}
		var s Settlement
		if err := json.NewDecoder(strings.NewReader(line)).Decode(&s); err != nil {
			return nil, fmt.Errorf("read spool %s: %w", filepath.Base(path), err)
		}
		settlements = append(settlements, s)
	}
}
