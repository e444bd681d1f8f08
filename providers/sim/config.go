package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirhq/weir/task"
)

// Config is one simulated provider. The zero Config plays the models of Profiles with exact token counts.
type Config struct {
	// Seed decides everything that a request does not.
	Seed uint64
	// Models are the profiles by model id. Default: Profiles.
	Models map[string]ModelProfile
	// AnyModel plays every other model id with the Mid profile, instead of answering that there is no such model.
	AnyModel bool
	// Instant answers without latency.
	Instant bool
	// Speed divides the latencies. Default 1.
	Speed int
	// Tokens is how tokens are counted. Default TokensExact.
	Tokens Tokens
	// RateLimits are the limits by model id.
	RateLimits map[string]RateLimit
	// Faults are shares of all requests, in thousandths, that meet a fault by chance. Which ones follows from the seed,
	// the request and how often it was seen before, so that a repeated request may fare better.
	Faults map[Fault]int
	// Scripts are faults that are not left to chance.
	Scripts []Script
	// Batches is how batches of requests are worked off.
	Batches Batches
	// Drip is the time between two bytes of an answer under FaultDrip. Default 1 s.
	Drip time.Duration
	// MinCacheTokens is the shortest prefix that is cached, for all models. Default: the profiles'.
	MinCacheTokens int
	// CacheTTL is how long a prefix stays cached whatever lifetime was asked for. Default: what was asked for.
	CacheTTL time.Duration
	// LedgerFile is appended to and synced before a request is answered; see Entry. Default: no file.
	LedgerFile string
	// LedgerEntries is the most entries that are kept in memory; the oldest go first. Default 1,000,000.
	LedgerEntries int
	// Recordings are answers of real models that are replayed. A model that they name answers nothing else.
	Recordings *Recordings
	// Dialect is what kind of server speaks Chat Completions. Default: OpenAI's own.
	Dialect Dialect
	// Bill is what the provider says that a call cost, in the dialects that say so; false means that it does not know.
	// Default: it never says.
	Bill func(model string, usage task.Usage, at time.Time) (task.Pico, bool)
	// Key is the API key that requests must carry. Default: none is asked for.
	Key string
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

const (
	defaultLedgerEntries = 1_000_000
	defaultDrip          = time.Second
	wholeShare           = 1000
)

func (c Config) withDefaults() Config {
	if c.Models == nil {
		c.Models = Profiles()
	}
	c.Speed = orDefault(c.Speed, 1)
	c.Tokens = orDefault(c.Tokens, TokensExact)
	c.Drip = orDefault(c.Drip, defaultDrip)
	c.LedgerEntries = orDefault(c.LedgerEntries, defaultLedgerEntries)
	c.Batches = c.Batches.withDefaults(c.Instant, c.Speed)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// check reports every mistake at once.
func (c Config) check() error {
	var mistakes []error
	if !c.Dialect.known() {
		mistakes = append(mistakes, fmt.Errorf("dialect %q is unknown", c.Dialect))
	}
	if c.Tokens != "" && c.Tokens != TokensExact && c.Tokens != TokensBytes {
		mistakes = append(mistakes, fmt.Errorf("tokens are counted %q, want exact or bytes", c.Tokens))
	}
	if c.Speed < 0 || c.MinCacheTokens < 0 || c.LedgerEntries < 0 || c.CacheTTL < 0 || c.Drip < 0 {
		mistakes = append(mistakes, errors.New("speed, cache and ledger settings must not be negative"))
	}
	mistakes = append(mistakes, checkShares(c.Faults, Fault.known), c.Batches.check())
	for _, script := range c.Scripts {
		mistakes = append(mistakes, script.check())
	}
	for id, limit := range c.RateLimits {
		if limit.RequestsPerMinute <= 0 || limit.Burst < 0 {
			mistakes = append(mistakes, fmt.Errorf("the rate limit of model %q is not above 0", id))
		}
	}
	for id, p := range c.Models {
		mistakes = append(mistakes, p.check(id))
	}
	return errors.Join(mistakes...)
}

// checkShares reports what is wrong with shares of faults, of which some are known.
func checkShares(shares map[Fault]int, known func(Fault) bool) error {
	var mistakes []error
	total := 0
	for fault, share := range shares {
		if !known(fault) {
			mistakes = append(mistakes, fmt.Errorf("fault %q is unknown", fault))
		}
		if share < 0 {
			mistakes = append(mistakes, fmt.Errorf("the share of fault %q is negative", fault))
		}
		total += share
	}
	if total > wholeShare {
		mistakes = append(mistakes, errors.New("the faults' shares add up to more than 1000 thousandths"))
	}
	return errors.Join(mistakes...)
}

func (p ModelProfile) check(id string) error {
	for _, share := range []int{p.Malformed, p.Wrong, p.OffEnum, p.Truncate, p.Refuse, p.Reasoning} {
		if share < 0 || share > wholeShare {
			return fmt.Errorf("model %q: shares are from 0 to 1000 thousandths", id)
		}
	}
	if p.Latency.P50 < 0 || p.Latency.Spread < 0 || p.MinCache < 0 || p.MaxInput < 0 || p.MaxOutput < 0 {
		return fmt.Errorf("model %q: latency and limits must not be negative", id)
	}
	return nil
}
