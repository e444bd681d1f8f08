package pricing

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weirhq/weir/task"
)

// kind is what a rate is for: a class of tokens, or characters. The names of classes are the rate keys of the price book.
type kind int

// The kinds: what counts towards the prompt first, then what is put out, then what is no token.
const (
	kindInput kind = iota
	kindCacheRead
	kindCacheWrite5m
	kindCacheWrite30m
	kindCacheWrite1h
	kindCacheWrite12h
	kindInputAudio
	kindInputImage
	kindOutput
	kindOutputAudio
	kindCharacters
	kinds
)

// lineWebSearch is the kind of the line that is not metered in tokens.
const lineWebSearch = "web_search"

func (k kind) String() string {
	return [kinds]string{
		"input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h",
		"input_audio", "input_image", "output", "output_audio", "characters",
	}[k]
}

// RateKinds are the kinds that a band may have rates for, in the order of the book.
func RateKinds() []string {
	var out []string
	for k := range kindCharacters {
		out = append(out, k.String())
	}
	return out
}

// ofPrompt says that the tokens count towards the prompt, which chooses the band.
func (k kind) ofPrompt() bool { return k < kindOutput }

// ofTokens says that the kind is a class of tokens, which a band has rates for.
func (k kind) ofTokens() bool { return k < kindCharacters }

// counts are how many there are of each kind. Reasoning is a part of the output and has no rate of its own.
type counts [kinds]int64

func countsOf(u task.Usage) counts {
	return counts{
		kindInput:         u.Input,
		kindCacheRead:     u.CacheRead,
		kindCacheWrite5m:  u.CacheWrite5m,
		kindCacheWrite30m: u.CacheWrite30m,
		kindCacheWrite1h:  u.CacheWrite1h,
		kindCacheWrite12h: u.CacheWrite12h,
		kindInputAudio:    u.InputAudio,
		kindInputImage:    u.InputImage,
		kindOutput:        u.Output,
		kindOutputAudio:   u.OutputAudio,
		kindCharacters:    u.Characters,
	}
}

// prompt is the sum that chooses the band.
func (c counts) prompt() (int64, error) {
	var sum task.Pico
	var err error
	for k := range kindOutput {
		if sum, err = add(sum, task.Pico(c[k])); err != nil {
			return 0, fmt.Errorf("count prompt tokens: %w", err)
		}
	}
	return int64(sum), nil
}

// rate is the price of one token or character; a rate that is not known is not zero.
type rate struct {
	pico  task.Pico
	known bool
}

type rates [kinds]rate

const (
	rateDecimals = 6
	maxRateChars = 32
	maxRate      = task.USD // a token for a dollar: whatever is above is a typing mistake
)

var errRate = errors.New("not a price in USD per million tokens or characters")

// ParseRate reads a price in USD per million tokens or characters, a plain decimal such as "0.125", as pico-USD for one.
// With at most six decimals that is exact; more are an error, as are signs, exponents and more than a dollar for one.
func ParseRate(s string) (task.Pico, error) {
	whole, fraction, dotted := strings.Cut(s, ".")
	switch {
	case len(s) > maxRateChars:
		return 0, fmt.Errorf("%w: longer than %d characters", errRate, maxRateChars)
	case !digits(whole), dotted && !digits(fraction):
		return 0, fmt.Errorf("%w: %q; write a decimal such as \"0.125\"", errRate, s)
	case len(fraction) > rateDecimals:
		return 0, fmt.Errorf("%w: %q has more than %d decimals", errRate, s, rateDecimals)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", rateDecimals-len(fraction)), 10, 64)
	if err != nil || n > int64(maxRate) {
		return 0, fmt.Errorf("%w: %q is more than one USD per token or character", errRate, s)
	}
	return task.Pico(n), nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// ratio is an exact multiplier. Its zero value is no ratio.
type ratio struct{ num, den int64 }

// maxRatio bounds both parts, so that the product of two ratios stays far inside an int64.
const maxRatio = 10_000

var errRatio = errors.New("not a multiplier")

// parseRatio reads "1/2" or "2".
func parseRatio(s string) (ratio, error) {
	num, den, divided := strings.Cut(s, "/")
	if !divided {
		den = "1"
	}
	r := ratio{smallNumber(num), smallNumber(den)}
	if r.num == 0 || r.den == 0 {
		return ratio{}, fmt.Errorf("%w: %q; write one such as \"1/2\" or \"2\", of whole numbers up to %d", errRatio, s, maxRatio)
	}
	return r.reduced(), nil
}

// smallNumber is 0 for whatever is not a number from 1 to maxRatio.
func smallNumber(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || !digits(s) || n > maxRatio {
		return 0
	}
	return n
}

func one() ratio { return ratio{1, 1} }

func (r ratio) times(other ratio) ratio {
	return ratio{r.num * other.num, r.den * other.den}.reduced()
}

func (r ratio) above(other ratio) bool { return r.num*other.den > other.num*r.den }

func (r ratio) reduced() ratio {
	a, b := r.num, r.den
	for b != 0 {
		a, b = b, a%b
	}
	return ratio{r.num / a, r.den / a}
}

func (r ratio) String() string {
	if r.den == 1 {
		return strconv.FormatInt(r.num, 10)
	}
	return strconv.FormatInt(r.num, 10) + "/" + strconv.FormatInt(r.den, 10)
}
