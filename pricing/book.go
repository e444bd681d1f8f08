package pricing

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed book/*.yaml
var bookFiles embed.FS

// Book is a checked price book. It never changes and is safe for concurrent use.
type Book struct {
	providers []*provider // by name
	hash      string
}

type provider struct {
	name   string
	usage  Traits   // how its usage is counted, for models that say no more
	models []*model // by id
}

// model is one model of a provider with all its prices.
type model struct {
	id       string
	patterns []string
	match    []*regexp.Regexp // the patterns, anchored
	traits   Traits
	retires  *Retirement
	rows     []*row // by from
}

// row is the price of a model for a period: half-open [from, until), where a zero time is no limit.
type row struct {
	key     string // provider/id@from
	origin  string // where the row stands: embedded, or a file
	from    time.Time
	until   time.Time
	status  Status
	source  string
	checked time.Time
	list    table
	modes   map[string]mode  // all but the standard one
	geo     map[string]ratio // by the provider's name of a region
	windows []window         // other prices at some hours, UTC
	search  rate             // one web search
}

// mode is what differs in a mode: a multiplier on the list price, or prices of its own.
type mode struct {
	times ratio
	own   *table
}

// window is a part of every day, in minutes after midnight UTC: half-open [from, to).
type window struct {
	from, to int
	list     table
}

// Embedded is the book that comes with weir.
func Embedded() (*Book, error) { return Compose() }

// Hash is the SHA-256 of the book's content in hex, overrides included. Comments, formatting, the order of models and where
// a price stands do not change it.
func (b *Book) Hash() string { return b.hash }

// Model is a model that the book knows, whether or not it has a price now.
type Model struct {
	Provider string
	ID       string
	// Match are the patterns of other names that the model answers under, such as those with a date.
	Match  []string
	Traits Traits
	// Retires is when the provider stops serving the model; nil when that is not known.
	Retires *Retirement
}

// Models are the models of the book by provider and id.
func (b *Book) Models() []Model {
	var out []Model
	for _, p := range b.providers {
		for _, m := range p.models {
			out = append(out, Model{
				Provider: p.name, ID: m.id, Match: slices.Clone(m.patterns), Traits: m.traits, Retires: b.Retires(p.name, m.id),
			})
		}
	}
	return out
}

// Traits are what the book knows of a model besides its prices; false when it does not know the model.
func (b *Book) Traits(provider, model string) (Traits, bool) {
	m, err := b.find(provider, model)
	if err != nil {
		return Traits{}, false
	}
	return m.traits, true
}

// ID is the book's own name of the model that answers under a name; false when there is none, or more than one.
func (b *Book) ID(provider, name string) (string, bool) {
	m, err := b.find(provider, name)
	if err != nil {
		return "", false
	}
	return m.id, true
}

// find resolves a name to a model: an id is itself, any other name must match the patterns of exactly one model.
func (b *Book) find(providerName, name string) (*model, error) {
	i, ok := b.search(providerName)
	if !ok {
		return nil, fmt.Errorf("%w: the book has no provider %q", ErrUnpriced, providerName)
	}
	return b.providers[i].find(name)
}

// search is the place of a provider, and whether it is there.
func (b *Book) search(name string) (int, bool) {
	return slices.BinarySearchFunc(b.providers, name, func(p *provider, name string) int { return strings.Compare(p.name, name) })
}

// model is the model of an id, nil when there is none.
func (p *provider) model(id string) *model {
	i, ok := slices.BinarySearchFunc(p.models, id, func(m *model, id string) int { return strings.Compare(m.id, id) })
	if !ok {
		return nil
	}
	return p.models[i]
}

func (p *provider) find(name string) (*model, error) {
	if m := p.model(name); m != nil {
		return m, nil
	}
	var found *model
	for _, m := range p.models {
		if !m.matches(name) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %q is both %s and %s", ErrUnpriced, name, found.id, m.id)
		}
		found = m
	}
	if found == nil {
		return nil, fmt.Errorf("%w: the book has no model %q of %s", ErrUnpriced, name, p.name)
	}
	return found, nil
}

func (m *model) matches(name string) bool {
	return slices.ContainsFunc(m.match, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}

// at is the row in force at an instant, nil when there is none.
func (m *model) at(t time.Time) *row {
	for _, r := range m.rows {
		if r.status == InForce && r.covers(t) {
			return r
		}
	}
	return nil
}

func (r *row) covers(t time.Time) bool {
	return !t.Before(r.from) && (r.until.IsZero() || t.Before(r.until))
}

// at is the list price at a time of day.
func (r *row) at(t time.Time) table {
	t = t.UTC()
	minute := t.Hour()*60 + t.Minute()
	for _, w := range r.windows {
		if w.from <= minute && minute < w.to {
			return w.list
		}
	}
	return r.list
}

// bandKey is the key of one band of the row, such as anthropic/claude-haiku-5-5@2026-10-07#1.
func (r *row) bandKey(t table, band int) string {
	return fmt.Sprintf("%s#%d", r.tableKey(t), band+1)
}

func (r *row) tableKey(t table) string {
	if t.variant == "" {
		return r.key
	}
	return r.key + "/" + t.variant
}
