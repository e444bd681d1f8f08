package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Spool keeps paid answers on disk while Postgres is away, so that a crash in that time does not lose what they cost. A
// process writes one file, named after its boot id, which it holds locked; the next start replays every file whose
// process is gone. Processes may share a directory.
type Spool struct {
	dir  string
	path string // of its own file

	mu     sync.Mutex
	file   *os.File // nil while nothing is kept
	kept   map[uuid.UUID]bool
	closed bool
}

const (
	spoolSuffix = ".spool.jsonl"
	// spoolBad follows spoolSuffix in the name of a file that somebody has to look at.
	spoolBad = ".bad"
	// spoolChunk is how many settlements are replayed in one transaction.
	spoolChunk = 100
)

// NewSpool uses a directory, which it makes when it is missing.
func NewSpool(dir string, boot uuid.UUID) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool directory: %w", err)
	}
	return &Spool{dir: dir, path: filepath.Join(dir, boot.String()+spoolSuffix), kept: map[uuid.UUID]bool{}}, nil
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
	if s.closed {
		return os.ErrClosed
	}
	if s.file == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if _, err = s.file.Write(lines); err == nil {
		err = s.file.Sync()
	}
	if err != nil { // a full disk
		return errors.Join(err, s.file.Truncate(info.Size()))
	}
	return nil
}

// create makes the file under another name first: a replay must not find it before it is locked.
func (s *Spool) create() error {
	file, err := os.OpenFile(s.path+".new", os.O_CREATE|os.O_RDWR|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = lockFile(file); err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.file = file
	return nil
}

// lockFile takes a file's lock until the file is closed, which the end of its process does too. False means that
// somebody else has it.
func lockFile(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock spool: %w", err)
	}
	return true, nil
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
	err := os.Remove(s.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err = errors.Join(err, s.letGo()); err != nil {
		return fmt.Errorf("clear spool: %w", err)
	}
	return nil
}

// letGo closes the file, and thereby unlocks it.
func (s *Spool) letGo() error {
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return file.Close()
}

// Close leaves what is kept to the next replay. Nothing can be kept afterwards.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if err := s.letGo(); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// Replay settles what processes that are gone left, and removes their files; those of living ones are locked and stay.
// It returns how many settlements it read. Settling is by attempt, so a file that is replayed twice changes nothing. A
// line that cannot be read, or that Postgres refuses, is logged, and its file is kept under a name that ends in .bad.
// Call it before the process registers.
func (s *Spool) Replay(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) (int, error) {
	paths, err := filepath.Glob(filepath.Join(s.dir, "*"+spoolSuffix))
	if err != nil {
		return 0, fmt.Errorf("find spools: %w", err)
	}
	total := 0
	for _, path := range paths {
		n, err := replayFile(ctx, pool, logger, path)
		total += n
		if err != nil {
			return total, fmt.Errorf("replay spool %s: %w", filepath.Base(path), err)
		}
	}
	return total, nil
}

func replayFile(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger, path string) (int, error) {
	file, err := openGone(path)
	if err != nil || file == nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	settlements, bad, err := readSpool(file)
	if err != nil {
		return 0, err
	}
	for chunk := range slices.Chunk(settlements, spoolChunk) {
		refused, err := replayChunk(ctx, pool, chunk)
		if err != nil {
			return 0, err
		}
		bad = append(bad, refused...)
	}
	if len(bad) == 0 {
		return len(settlements), os.Remove(path)
	}
	logger.ErrorContext(ctx, "spooled answers could not be settled", slog.Int("answers", len(bad)),
		slog.String("file", path+spoolBad), slog.Any("err", bad[0]))
	return len(settlements), os.Rename(path, path+spoolBad)
}

// openGone opens and locks the file of a process that is gone; nil is a living one's, or one that is replayed elsewhere.
func openGone(path string) (*os.File, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // nobody's file
	}
	if err != nil {
		return nil, err
	}
	locked, err := lockFile(file)
	if err == nil && locked {
		locked, err = stillAt(path, file) // it may have been removed, and made anew, before it was locked
	}
	if err != nil || !locked {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func stillAt(path string, file *os.File) (bool, error) {
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(opened, named), err
}

// replayChunk halves what Postgres refuses for its data, until the poisoned settlement is alone and goes without its
// provider's words. It returns why those were refused that it does not take even so.
func replayChunk(ctx context.Context, pool *pgxpool.Pool, settlements []Settlement) (refused []error, err error) {
	_, err = settleTx(ctx, pool, settlements)
	if !DataError(err) {
		return nil, err
	}
	if len(settlements) == 1 {
		_, err = settleTx(ctx, pool, []Settlement{settlements[0].bare()})
		if DataError(err) {
			return []error{fmt.Errorf("settle attempt %s: %w", settlements[0].AttemptID, err)}, nil
		}
		return nil, err
	}
	half := len(settlements) / 2
	first, err := replayChunk(ctx, pool, settlements[:half])
	if err != nil {
		return nil, err
	}
	second, err := replayChunk(ctx, pool, settlements[half:])
	return append(first, second...), err
}

// readSpool reads the whole lines of a spool; bad says why some of them are no settlements.
func readSpool(file io.Reader) (settlements []Settlement, bad []error, err error) {
	reader := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return settlements, bad, nil // a last line without its end was never synced: its writer died in it
		}
		if err != nil {
			return nil, nil, err
		}
		var s Settlement
		if err := json.Unmarshal(line, &s); err != nil {
			bad = append(bad, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		settlements = append(settlements, s)
	}
}
