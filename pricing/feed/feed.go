// Package feed reads the price lists that others keep, in the price book's terms, and says where the book differs. It
// proposes rows for a person to look at; it never changes a book.
package feed

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/task"
)

// Feed is a price list of somebody else's.
type Feed struct {
	// Name is LiteLLM or genai-prices.
	Name string
	// Models are what it lists, by provider and name.
	Models []Listing
}

// Listing is what a feed lists for one name of a model.
type Listing struct {
	// Provider is the price book's; empty for one that the feed alone knows.
	Provider string
	// Name is the provider's name of the model.
	Name string
	// Bands are the prices by the size of the prompt, the first for all that are small.
	Bands []Band
	// Modes are rates of small prompts by mode (batch, flex, priority) and by kind.
	Modes map[string]map[string]task.Pico
	// Retires is the day on which the model is to end; zero when none is listed.
	Retires time.Time
	// Doubts are sentences on what could not be read.
	Doubts []string
}

// Band are rates by the price book's kinds, in pico-USD for one token, for prompts of more than Above tokens.
type Band struct {
	Above int64
	Rates map[string]task.Pico
}

// maxBytes bounds a file. LiteLLM's has 1.6 MB.
const maxBytes = 64 << 20

var errTooLarge = fmt.Errorf("the file has more than %d MiB", maxBytes>>20)

// band is the band above an edge, made where there is none yet.
func (l *Listing) band(above int64) *Band {
	i, found := slices.BinarySearchFunc(l.Bands, above, func(b Band, above int64) int { return cmp.Compare(b.Above, above) })
	if !found {
		l.Bands = slices.Insert(l.Bands, i, Band{Above: above, Rates: map[string]task.Pico{}})
	}
	return &l.Bands[i]
}

// at are the rates above an edge; nil when there is no such band.
func (l *Listing) at(above int64) map[string]task.Pico {
	for _, b := range l.Bands {
		if b.Above == above {
			return b.Rates
		}
	}
	return nil
}

func (l *Listing) doubt(format string, args ...any) {
	l.Doubts = append(l.Doubts, fmt.Sprintf(format, args...))
}

func sortListings(models []Listing) {
	slices.SortFunc(models, func(a, b Listing) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
	})
}

const (
	maxNumberChars = 40
	maxExponent    = 30
	perMillion     = 1_000_000
)

// errFine is a rate that no whole number of pico-USD is: as a rule one that went through a floating-point number.
var errFine = errors.New("is no whole number of pico-USD for one token")

// exact reads a JSON number of so many USD for perTokens tokens as pico-USD for one, without a floating-point number in
// between.
func exact(literal string, perTokens int64) (task.Pico, error) {
	if len(literal) > maxNumberChars || !json.Valid([]byte(literal)) || !strings.ContainsAny(literal[:1], "-0123456789") {
		return 0, errors.New("is no number")
	}
	_, exponent, scientific := strings.Cut(strings.ToLower(literal), "e")
	if scientific {
		// a rational of a large exponent would fill the memory
		if n, err := strconv.Atoi(exponent); err != nil || n > maxExponent || n < -maxExponent {
			return 0, errors.New("is out of all bounds")
		}
	}
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return 0, errors.New("is no number")
	}
	r.Mul(r, big.NewRat(int64(task.USD), perTokens))
	switch {
	case r.Sign() < 0 || r.Cmp(big.NewRat(int64(task.USD), 1)) > 0:
		return 0, errors.New("is not from 0 to 1 USD for one token")
	case !r.IsInt():
		return 0, errFine
	}
	return task.Pico(r.Num().Int64()), nil
}

// rate reads a rate into a set of rates, and doubts what it cannot read.
func (l *Listing) rate(into map[string]task.Pico, kind, key string, raw json.RawMessage, perTokens int64) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	pico, err := exact(string(raw), perTokens)
	if err != nil {
		l.doubt("%s %s", key, err)
		return
	}
	into[kind] = pico
}
