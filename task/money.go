package task

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Pico is an amount of money in pico-USD: 10^-12 US dollars. A price of up to six decimals per million tokens is a
// whole number of Pico per token, so token costs are exact integer products. An int64 holds 9.2 million USD.
type Pico int64

// USD is one US dollar.
const USD Pico = 1_000_000_000_000

const (
	picoDecimals  = 12
	maxUSDLiteral = 32 // characters; the longest valid amount, "-9223372.036854775807", has 21
)

// ErrMoney is wrapped by every error of ParseUSD.
var ErrMoney = errors.New("not an amount of USD")

// ParseUSD reads a plain decimal amount of USD such as "0.05". Exponents, separators and more than twelve decimals are
// refused, because a rounded amount of money is a wrong one. Every error wraps ErrMoney.
func ParseUSD(s string) (Pico, error) {
	if len(s) > maxUSDLiteral {
		return 0, fmt.Errorf("%w: longer than %d characters", ErrMoney, maxUSDLiteral)
	}
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if !isDigits(whole) || (strings.Contains(digits, ".") && !isDigits(fraction)) {
		return 0, fmt.Errorf("%w: %q; write a decimal such as \"0.05\"", ErrMoney, s)
	}
	if len(fraction) > picoDecimals {
		return 0, fmt.Errorf("%w: %q has more than %d decimals", ErrMoney, s, picoDecimals)
	}
	sign := ""
	if negative {
		sign = "-"
	}
	n, err := strconv.ParseInt(sign+whole+fraction+strings.Repeat("0", picoDecimals-len(fraction)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is out of range", ErrMoney, s)
	}
	return Pico(n), nil
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// String is the exact decimal amount in USD without trailing zeros: "0.0028".
func (p Pico) String() string {
	sign, n := "", uint64(p) //nolint:gosec // two's complement: the wrapped value is negated below
	if p < 0 {
		sign, n = "-", -n
	}
	whole, fraction := n/uint64(USD), n%uint64(USD)
	if fraction == 0 {
		return fmt.Sprintf("%s%d", sign, whole)
	}
	return sign + strings.TrimRight(fmt.Sprintf("%d.%012d", whole, fraction), "0")
}

// MarshalText writes the amount as a decimal string, so JSON never carries money as a float.
func (p Pico) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what ParseUSD reads; in JSON a bare number is therefore an error.
func (p *Pico) UnmarshalText(text []byte) error {
	parsed, err := ParseUSD(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}
