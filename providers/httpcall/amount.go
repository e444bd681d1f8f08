package httpcall

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/weirhq/weir/task"
)

// The bounds of an amount's spelling: far beyond what a bill can be, and small enough to work out exactly.
const (
	maxAmountChars    = 64
	maxAmountExponent = 40
)

// Amount reads a JSON number of units, each of so many pico-USD, exactly: no float is involved, although many providers
// write what one of theirs printed, such as 0.0016150000000000001 or 9.5e-06. What is finer than a pico-USD is rounded
// half to even. It is nil, which means unknown, for what is no number, below 0 or beyond what a Pico holds.
func Amount(literal string, unit task.Pico) *task.Pico {
	literal = strings.TrimSpace(literal)
	if len(literal) == 0 || len(literal) > maxAmountChars || literal[0] == '-' || !numeric(literal) {
		return nil
	}
	if _, exponent, found := strings.Cut(strings.ToLower(literal), "e"); found {
		n, err := strconv.Atoi(exponent)
		if err != nil || n < -maxAmountExponent || n > maxAmountExponent {
			return nil
		}
	}
	exact, ok := new(big.Rat).SetString(literal)
	if !ok {
		return nil
	}
	exact.Mul(exact, new(big.Rat).SetInt64(int64(unit)))
	whole := halfEven(exact)
	if !whole.IsInt64() {
		return nil
	}
	amount := task.Pico(whole.Int64())
	return &amount
}

// numeric says that a literal is a JSON number, which begins with a digit when it has no sign.
func numeric(literal string) bool {
	return literal[0] >= '0' && literal[0] <= '9' && json.Valid([]byte(literal))
}

func halfEven(exact *big.Rat) *big.Int {
	whole, rest := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
	twice := rest.Lsh(rest, 1).Cmp(exact.Denom())
	if twice > 0 || twice == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole
}
