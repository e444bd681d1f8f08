package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// errNotNumber is why a text is no number.
var errNotNumber = errors.New("is not a number")

// parseDecimal reads a decimal number exactly: what JSON calls a number, white space around it and a leading plus sign
// allowed. Thousands separators are not: 1,234 is one number here and another one there.
func parseDecimal(s string) (*big.Rat, error) {
	literal := strings.TrimPrefix(strings.TrimSpace(s), "+")
	if literal == "" || !isNumberStart(literal[0]) || !json.Valid([]byte(literal)) {
		return nil, errNotNumber
	}
	if err := checkNumber(literal); err != nil {
		return nil, fmt.Errorf("is a number %w", err)
	}
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		return nil, errNotNumber
	}
	return r, nil
}

// isNumberStart tells a JSON number from the other JSON values.
func isNumberStart(c byte) bool { return c == '-' || (c >= '0' && c <= '9') }

// parameterNumber reads a number among the parameters; an absent one is nil.
func parameterNumber(name string, n *json.Number) (*big.Rat, error) {
	if n == nil {
		return nil, nil
	}
	r, err := parseDecimal(n.String())
	if err != nil {
		return nil, fmt.Errorf("parameter %q %w", name, err)
	}
	return r, nil
}

// showDecimal writes a number for a reason, short and without an exponent.
func showDecimal(r *big.Rat) string {
	const decimals, most = 12, 40
	s := r.FloatString(decimals)
	return clip(strings.TrimSuffix(strings.TrimRight(s, "0"), "."), most)
}
