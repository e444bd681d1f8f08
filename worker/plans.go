package worker

import (
	"encoding/json"
	"sync"

	"github.com/weirhq/weir/cascade"
)

// mostPlans bounds how many plans are kept decoded: few tasks have a plan of their own.
const mostPlans = 1_000

// plans decodes the stages of plans, which many tasks share, once.
type plans struct {
	mu      sync.Mutex
	decoded map[string][]cascade.Stage
}

func newPlans() *plans { return &plans{decoded: map[string][]cascade.Stage{}} }

// stages decodes what the planner stored. Nobody changes what it returns.
func (p *plans) stages(stored json.RawMessage) ([]cascade.Stage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.decoded[string(stored)]; ok {
		return known, nil
	}
	var stages []cascade.Stage
	if err := json.Unmarshal(stored, &stages); err != nil {
		return nil, err
	}
	if len(p.decoded) >= mostPlans {
		clear(p.decoded)
	}
	p.decoded[string(stored)] = stages
	return stages, nil
}
