// Package sim is a model provider that runs on this machine: an HTTP server that speaks Anthropic's Messages API,
// OpenAI's Chat Completions API, Gemini's generateContent, the embeddings of OpenAI, Voyage and Gemini, and the translation
// APIs of DeepL and LibreTranslate, with the batches of the first three, and plays models of chosen skill, speed and
// reliability. It meters tokens, characters and prompt caches as the providers do, keeps its own ledger of what it billed,
// and fails when it is told to. What it answers follows from a seed and the request, so that a run can be repeated. It is no
// model: it knows the documents of package backlog, schemas, lists of labels and recordings of real models, and nothing else.
package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
)

// Server plays one provider. It is safe for concurrent use.
type Server struct {
	config  Config
	models  map[string]*model
	counter counter
	player  *player
	cache   promptCache
	batches shelf
	api     http.Handler // of batches and files
	faults  *faultPlan
	gate    gate
	ledger  *ledger
	control http.Handler
	buffers sync.Pool
	counts  atomic.Int64

	mu     sync.Mutex // guards others
	others map[string]*model

	done    chan struct{}
	closing sync.Once
	serving sync.WaitGroup
	http    *http.Server
	url     string
}

// model is a profile at work.
type model struct {
	ModelProfile
	id        string
	cacheSeed uint64
	limit     *limiter
}

// New checks the configuration, reporting every mistake at once. Close releases what it holds.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("configure the simulator: %w", err)
	}
	cfg = cfg.withDefaults()
	count, err := newCounter(cfg.Tokens)
	if err != nil {
		return nil, fmt.Errorf("configure the simulator: %w", err)
	}
	s := &Server{
		config: cfg, models: map[string]*model{}, counter: count, player: newPlayer(cfg.Seed, count),
		faults: newFaultPlan(cfg), ledger: newLedger(cfg.LedgerEntries), others: map[string]*model{},
		done: make(chan struct{}),
	}
	for id, p := range cfg.Models {
		s.models[id] = s.newModel(id, p)
	}
	if cfg.Recordings != nil {
		for _, id := range cfg.Recordings.Models() {
			s.models[id] = s.newModel(id, ModelProfile{})
		}
	}
	if cfg.LedgerFile != "" {
		if s.ledger.file, err = openLedgerFile(cfg.LedgerFile); err != nil {
			return nil, err
		}
	}
	s.control, s.api = s.newControl(), s.newBatchAPI()
	s.batches.due.Store(never)
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	return s, nil
}

func (s *Server) newModel(id string, p ModelProfile) *model {
	p = p.withDefaults(id)
	p.MinCache = orDefault(s.config.MinCacheTokens, p.MinCache)
	m := &model{ModelProfile: p, id: id, cacheSeed: dice.Hash(s.config.Seed, id)}
	if limit, ok := s.config.RateLimits[id]; ok {
		m.limit = newLimiter(limit)
	}
	return m
}

// maxOthers bounds how many unknown model ids are remembered.
const maxOthers = 1000

// modelOf is the model of an id, nil when there is none.
func (s *Server) modelOf(id string) *model { return s.modelLike(id, id, Mid) }

// embedderOf is the model of an id that embeds.
func (s *Server) embedderOf(id string) *model { return s.modelLike(id, "embedder "+id, anyEmbedder) }

// modelLike is the model of an id; one without a profile is made by another under AnyModel, and remembered by a key.
func (s *Server) modelLike(id, key string, profile func() ModelProfile) *model {
	if m := s.models[id]; m != nil || !s.config.AnyModel {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.others[key]
	if m == nil {
		m = s.newModel(id, profile())
		if len(s.others) < maxOthers {
			s.others[key] = m
		}
	}
	return m
}

// Handler serves all APIs under any base path, and the simulator's own controls under /sim/.
func (s *Server) Handler() http.Handler { return s }

// Start listens on an address such as 127.0.0.1:0 and serves in the background.
func (s *Server) Start(ctx context.Context, addr string) error {
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("start the simulator: %w", err)
	}
	s.url = "http://" + listener.Addr().String()
	s.serving.Go(func() { _ = s.http.Serve(listener) }) // always an error, once it is closed
	return nil
}

// URL is the address that the server listens on, without a path; empty before Start.
func (s *Server) URL() string { return s.url }

// Close answers what is held, ends what hangs, stops listening and writes the ledger out. The error is the ledger's.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.done)
		s.gate.release("")
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close()
		}
		s.serving.Wait()
		err = s.ledger.file.close()
	})
	return err
}

// Hold keeps the answers of a model back, of all models when it is empty: the model has done its work and it is billed,
// but the client waits.
func (s *Server) Hold(model string) { s.gate.hold(model) }

// Release lets the answers go that Hold keeps back for the same model; all of them when it is empty.
func (s *Server) Release(model string) { s.gate.release(model) }

// Held is the number of answers that are kept back.
func (s *Server) Held() int { return int(s.gate.waiting.Load()) }

// AddFault adds a script to those that are running.
func (s *Server) AddFault(script Script) error {
	if err := script.check(); err != nil {
		return err
	}
	s.faults.add(script)
	return nil
}

// RemoveFaults ends the scripts of a model, all scripts when it is empty.
func (s *Server) RemoveFaults(model string) { s.faults.remove(model) }

// Ledger is a copy of the ledger, oldest entry first.
func (s *Server) Ledger() []Entry {
	s.catchUp()
	return s.ledger.entries()
}

// Stats is what the ledger adds up to.
type Stats struct {
	Models map[string]Totals `json:"models"`
	// Held is the number of answers that are kept back at the moment.
	Held int `json:"held"`
	// Dropped is the number of entries that the ledger no longer keeps in memory.
	Dropped int64 `json:"dropped"`
	// Counts is the number of questions for a count of tokens, answered or met by a fault.
	Counts int64 `json:"counts"`
	// Batches is the number of batches that are not over.
	Batches int `json:"batches"`
}

// Stats sums the ledger up.
func (s *Server) Stats() Stats {
	s.catchUp()
	totals, dropped := s.ledger.stats()
	return Stats{
		Models: totals, Held: s.Held(), Dropped: dropped, Counts: s.counts.Load(), Batches: s.batches.unfinished(),
	}
}

// ServeHTTP routes by the end of the path, because base URLs have prefixes of their own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.catchUp()
	path := r.URL.Path
	generated, isGenerate := modelOfPath(path, ":generateContent")
	counted, isCount := modelOfPath(path, ":countTokens")
	embedded, isEmbed := modelOfPath(path, ":batchEmbedContents")
	switch {
	case strings.HasPrefix(path, "/sim/"):
		s.control.ServeHTTP(w, r)
	case strings.HasSuffix(path, "/v1/messages"):
		s.post(w, r, messages{})
	case strings.HasSuffix(path, "/chat/completions"):
		format, ok := s.completionsAt(r)
		if !ok {
			http.Error(w, `{"error":{"code":"404","message":"Resource not found"}}`, http.StatusNotFound)
			return
		}
		s.post(w, r, format)
	case strings.HasSuffix(path, "/responses"):
		s.post(w, r, responses{})
	case strings.HasSuffix(path, "/v1/messages/count_tokens"):
		s.count(w, r, counting{wire: messages{counts: true}, before: `{"input_tokens":`, after: "}"})
	case strings.HasSuffix(path, "/responses/input_tokens"):
		s.count(w, r, counting{
			wire: responses{counts: true}, before: `{"object":"response.input_tokens","input_tokens":`, after: "}",
		})
	case isCount:
		s.count(w, r, counting{wire: generate{model: counted, counts: true}, before: `{"totalTokens":`, after: "}"})
	case strings.HasSuffix(path, "/v2/translate"):
		s.post(w, r, translated{})
	case strings.HasSuffix(path, "/translate"):
		s.post(w, r, libre{})
	case strings.HasSuffix(path, "/embeddings"):
		s.post(w, r, &embeddingList{dialect: s.config.Dialect})
	case isEmbed:
		s.post(w, r, batchEmbed{generate{model: embedded}})
	case isGenerate:
		s.post(w, r, generate{model: generated})
	case s.isBatchPath(path):
		s.serveBatches(w, r)
	default:
		http.Error(w, "the simulator serves POST .../v1/messages, .../chat/completions, .../responses, "+
			".../models/{model}:generateContent, .../embeddings, .../models/{model}:batchEmbedContents, .../v2/translate, "+
			".../translate, what counts tokens of these, .../v1/messages/batches, .../v1/files, .../v1/batches, "+
			".../models/{model}:batchGenerateContent, .../v1beta/batches, .../v1beta/files, and /sim/", http.StatusNotFound)
	}
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, format wire) {
	if posted(w, r) {
		c := &call{server: s, wire: format, w: w, r: r}
		c.serve(r.Context())
	}
}

func (s *Server) count(w http.ResponseWriter, r *http.Request, k counting) {
	if posted(w, r) {
		c := &call{server: s, wire: k.wire, w: w, r: r}
		c.serveCount(r.Context(), k)
	}
}

// posted has answered any other request.
func posted(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", http.MethodPost)
	http.Error(w, "POST is the only method here", http.StatusMethodNotAllowed)
	return false
}

// newControl serves the simulator's own endpoints.
func (s *Server) newControl() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sim/ledger", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		lines := json.NewEncoder(w)
		for _, e := range s.Ledger() {
			_ = lines.Encode(e) // the client has gone
		}
	})
	mux.HandleFunc("GET /sim/stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Stats())
	})
	mux.HandleFunc("POST /sim/hold", s.gateCommand(s.Hold))
	mux.HandleFunc("POST /sim/release", s.gateCommand(s.Release))
	mux.HandleFunc("POST /sim/faults", func(w http.ResponseWriter, r *http.Request) {
		var script Script
		if err := decode(w, r, &script); err != nil {
			return
		}
		if err := s.AddFault(script); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /sim/faults", func(w http.ResponseWriter, r *http.Request) {
		s.RemoveFaults(r.URL.Query().Get("model"))
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// gateCommand takes {"model": "..."}, or nothing for all models.
func (s *Server) gateCommand(run func(model string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Model string `json:"model"`
		}
		if r.ContentLength != 0 {
			if err := decode(w, r, &body); err != nil {
				return
			}
		}
		run(body.Model)
		w.WriteHeader(http.StatusNoContent)
	}
}

// decode reads a small JSON object strictly; it has answered the request when there is an error.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err != nil {
		http.Error(w, "the body cannot be read: "+err.Error(), http.StatusBadRequest)
	}
	return err
}
