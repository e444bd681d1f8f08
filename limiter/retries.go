package limiter

import "sync"

// A model's retries are a tenth of its first tries, and a few more: what retries on top of trouble makes more of it.
const (
	RetriesSaved   = 10
	RetriesPerCall = 0.1
)

// Retries is the budget of one model in one process. It is safe for concurrent use; the zero value has nothing left, so
// use NewRetries.
type Retries struct {
	mu   sync.Mutex
	left float64
}

// NewRetries makes a full budget.
func NewRetries() *Retries { return &Retries{left: RetriesSaved} }

// Earn adds what a first try that went well earns.
func (r *Retries) Earn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = min(RetriesSaved, r.left+RetriesPerCall)
}

// Spend takes one retry; false when there is none left.
func (r *Retries) Spend() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}
