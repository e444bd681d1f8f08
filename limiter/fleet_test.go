package limiter_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/limiter"
	"github.com/weirhq/weir/providers"
)

// fleet is processes with work for one model of a provider that counts for itself, in virtual time.
type fleet struct {
	now       time.Time
	provider  *account
	processes []*process
	rand      *rand.Rand
	hour      map[int]*tally // by second
}

// tally is what the provider saw in a second.
type tally struct{ served, refused int }

// account is a provider's own limit: a bucket of a second or two that refills evenly.
type account struct {
	perSecond, burst, level float64
	at                      time.Time
	headers                 bool
	perMinute               int64
}

func (a *account) admit(now time.Time) bool {
	a.level = min(a.burst, a.level+a.perSecond*now.Sub(a.at).Seconds())
	a.at = now
	if a.level < 1 {
		return false
	}
	a.level--
	return true
}

type process struct {
	id      uuid.UUID
	limiter *limiter.Limiter
	waiting int
	calls   []running
	nextTry time.Time
	beats   time.Duration // its beat's place in the period
}

type running struct {
	ends    time.Time
	permit  limiter.Permit
	refused bool
}

const beat = 2 * time.Second

// newFleet has eight processes; the first has ten times the work of each other one.
func newFleet(limits map[string]catalog.RateLimit, provider *account) *fleet {
	f := &fleet{
		now: time.Unix(1_800_000_000, 0), provider: provider, rand: rand.New(rand.NewPCG(1, 2)), hour: map[int]*tally{},
	}
	provider.at, provider.level = f.now, provider.burst
	for i := range 8 {
		p := &process{
			id: uuid.UUID{byte(i)}, limiter: limiter.New(beat, limits), waiting: 100,
			beats: time.Duration(i) * beat / 8,
		}
		if i == 0 {
			p.waiting = 1000
		}
		p.limiter.Hold(p.waiting, "m")
		f.processes = append(f.processes, p)
	}
	return f
}

const step = 2 * time.Millisecond

// run lets time pass; what is called is replaced by new work, so that the demand stays.
func (f *fleet) run(d time.Duration) {
	for end := f.now.Add(d); f.now.Before(end); f.now = f.now.Add(step) {
		for _, p := range f.processes {
			if time.Duration(f.now.UnixNano())%beat == p.beats {
				p.limiter.Beat(f.now, p.id, f.peers(p))
			}
			f.finish(p)
			for !f.now.Before(p.nextTry) && len(p.calls) < 64 {
				permit, wait := p.limiter.Try(f.now, limiter.Cost{Input: 500, Output: 1000}, "m")
				if wait > 0 {
					p.nextTry = f.now.Add(wait)
					break
				}
				f.call(p, permit)
			}
		}
	}
}

func (f *fleet) peers(self *process) []limiter.Peer {
	var peers []limiter.Peer
	for _, p := range f.processes {
		if p != self {
			peers = append(peers, limiter.Peer{ID: p.id, Demand: p.limiter.Demand()})
		}
	}
	return peers
}

func (f *fleet) call(p *process, permit limiter.Permit) {
	second := f.hour[int(f.now.Unix()-1_800_000_000)]
	if second == nil {
		second = &tally{}
		f.hour[int(f.now.Unix()-1_800_000_000)] = second
	}
	latency := 300*time.Millisecond + time.Duration(f.rand.IntN(600))*time.Millisecond
	if f.provider.admit(f.now) {
		second.served++
		p.calls = append(p.calls, running{ends: f.now.Add(latency), permit: permit})
		return
	}
	second.refused++
	p.calls = append(p.calls, running{ends: f.now.Add(20 * time.Millisecond), permit: permit, refused: true})
}

func (f *fleet) finish(p *process) {
	left := p.calls[:0]
	for _, c := range p.calls {
		if f.now.Before(c.ends) {
			left = append(left, c)
			continue
		}
		used := limiter.Used{Known: !c.refused, Free: c.refused, Input: 450, Output: 120, Refused: c.refused}
		if f.provider.headers {
			used.Limits.Requests = providers.RateLimit{
				PerMinute: f.provider.perMinute, Remaining: int64(f.provider.level), Known: true,
			}
		}
		p.limiter.Done(f.now, c.permit, used)
	}
	p.calls = left
}

// figures are the provider's, from one second to another.
func (f *fleet) figures(from, to int) (utilisation, refused float64) {
	var sum tally
	for s := from; s < to; s++ {
		if t := f.hour[s]; t != nil {
			sum.served += t.served
			sum.refused += t.refused
		}
	}
	return float64(sum.served) / (f.provider.perSecond * float64(to-from)), float64(sum.refused) / float64(sum.served+sum.refused)
}

func newAccount(perMinute int64, headers bool) *account {
	perSecond := float64(perMinute) / 60
	return &account{perSecond: perSecond, burst: 2 * perSecond, headers: headers, perMinute: perMinute}
}

func limitOf(perMinute int64) map[string]catalog.RateLimit {
	return map[string]catalog.RateLimit{"m": {Requests: perMinute}}
}

// Eight processes, one of them with ten times the work of each other: shares use the limit and keep to it.
func TestFleet_KeepsToTheLimit(t *testing.T) {
	t.Parallel()
	const perMinute = 3000
	for _, tt := range []struct {
		name                 string
		limits               map[string]catalog.RateLimit
		headers              bool
		from                 int // seconds
		utilisation, refused float64
	}{
		{name: "RightLimit", limits: limitOf(perMinute), from: 0, utilisation: 0.85, refused: 0.005},
		{name: "TwiceTooHigh", limits: limitOf(2 * perMinute), from: 30, utilisation: 0.85, refused: 0.03},
		{name: "TwiceTooHighWithHeaders", limits: limitOf(2 * perMinute), headers: true, from: 30, utilisation: 0.85, refused: 0.005},
		{name: "NoLimit", from: 30, utilisation: 0.85, refused: 0.03},
		{name: "NoLimitWithHeaders", headers: true, from: 30, utilisation: 0.85, refused: 0.005},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(tt.limits, newAccount(perMinute, tt.headers))
			f.run(3 * time.Minute)
			utilisation, refused := f.figures(tt.from, 180)
			t.Logf("from second %d: utilisation %.3f, refused %.4f", tt.from, utilisation, refused)
			require.GreaterOrEqual(t, utilisation, tt.utilisation)
			require.LessOrEqual(t, refused, tt.refused)
		})
	}
}
