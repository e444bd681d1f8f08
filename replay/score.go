package replay

import (
	"cmp"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/weirhq/weir/task"
)

// Result is how a policy did on recordings, beside what others would have done.
type Result struct {
	Suite  string `json:"suite"`
	Policy string `json:"policy"`
	N      int    `json:"n"`
	// Accuracy is the mean of how right the answers were.
	Accuracy float64 `json:"accuracy"`
	// USDPer1000 is what a thousand tasks cost; nil where a cost is unknown.
	USDPer1000 *USD `json:"usd_per_1000"`
	// EscalatedShare is the share of tasks that went beyond their first stage, or beyond their vote.
	EscalatedShare float64 `json:"escalated_share"`
	// Stages are the models whose answers stood, those of the policy in its order; the shares add up to 1.
	Stages []StageShare `json:"stages"`
	// P50 and P95 are seconds from the first call to the last answer; nil where a latency is unknown.
	P50 *float64 `json:"p50_s"`
	P95 *float64 `json:"p95_s"`
	// FailedSpendShare is the share of the cost that went to answers which were thrown away; nil where a cost is unknown.
	FailedSpendShare *float64 `json:"failed_spend_share"`
	// CI95 is the interval of the accuracy less that of the random mix at equal cost, by a paired bootstrap; nil where a cost
	// is unknown.
	CI95      *[2]float64 `json:"ci95"`
	Baselines []Baseline  `json:"baselines"`
}

// StageShare is the share of tasks whose answer is a model's.
type StageShare struct {
	Model string  `json:"model"`
	Share float64 `json:"share"`
}

// Baseline is what another way would have reached on the same rows.
type Baseline struct {
	Name       string  `json:"name"`
	Accuracy   float64 `json:"accuracy"`
	USDPer1000 *USD    `json:"usd_per_1000"`
}

// USD is an amount of a report, a plain number in JSON.
type USD big.Rat

// MarshalJSON writes nine decimals.
func (u *USD) MarshalJSON() ([]byte, error) {
	const decimals = 9
	return json.Marshal(json.Number((*big.Rat)(u).FloatString(decimals)))
}

// Float is for comparing and for showing.
func (u *USD) Float() float64 {
	f, _ := (*big.Rat)(u).Float64()
	return f
}

// perThousand is the cost of a thousand of n tasks that cost so much together.
func perThousand(total *big.Int, n int) *USD {
	const thousand = 1000
	amount := new(big.Rat).SetFrac(total, big.NewInt(int64(task.USD)))
	amount.Mul(amount, big.NewRat(thousand, int64(n)))
	return (*USD)(amount)
}

// Score holds what was worked against the truth. Order are the models of the policy, which come first among the stages.
func Score(r *Replay, j *Judge, policy string, order []string, worked []Worked) Result {
	result := Result{Suite: r.Suite, Policy: policy, N: len(worked)}
	total, failed := totalCost(worked), new(big.Int)
	counts := make([]int, len(r.Models))
	right := make([]float64, len(worked))
	latencies := make([]time.Duration, len(worked))
	escalated := 0
	for i, w := range worked {
		right[i] = j.Right(i, w.Model)
		latencies[i] = w.Latency
		counts[w.Model]++
		if w.Escalated {
			escalated++
		}
		failed.Add(failed, big.NewInt(int64(w.Failed)))
	}
	n := float64(len(worked))
	result.Accuracy = mean(right)
	result.EscalatedShare = float64(escalated) / n
	result.Stages = stages(r, order, counts, n)
	if r.Timed() {
		result.P50, result.P95 = quantile(latencies, 0.5), quantile(latencies, 0.95)
	}
	if r.Priced() {
		result.USDPer1000 = perThousand(total, len(worked))
		share := 0.0
		if total.Sign() > 0 {
			share, _ = new(big.Rat).SetFrac(failed, total).Float64()
		}
		result.FailedSpendShare = &share
	}
	mix := newMix(r, j)
	result.Baselines = baselines(r, j, mix, order, total)
	if r.Priced() {
		interval := bootstrap(right, mix.rows(mix.share(total)))
		result.CI95 = &interval
	}
	return result
}

func stages(r *Replay, order []string, counts []int, n float64) []StageShare {
	shares := make([]StageShare, 0, len(order))
	for _, name := range order {
		if at := r.Model(name); at >= 0 {
			shares = append(shares, StageShare{Model: name, Share: float64(counts[at]) / n})
			counts[at] = 0
		}
	}
	var others []StageShare
	for at, count := range counts {
		if count > 0 {
			others = append(others, StageShare{Model: r.Models[at], Share: float64(count) / n})
		}
	}
	slices.SortStableFunc(others, func(a, b StageShare) int { return cmp.Compare(b.Share, a.Share) })
	return append(shares, others...)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// quantile is by nearest rank, in seconds.
func quantile(values []time.Duration, q float64) *float64 {
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	seconds := sorted[max(0, rank)].Seconds()
	return &seconds
}

// totalCost is exact however many rows there are.
func totalCost(worked []Worked) *big.Int {
	total := new(big.Int)
	for _, w := range worked {
		total.Add(total, big.NewInt(int64(w.Cost)))
	}
	return total
}
