package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// numberParams are the parameters of number.
type numberParams struct {
	target
	// Min and Max bound the number, both inclusive.
	Min *json.Number `json:"min"`
	Max *json.Number `json:"max"`
	// Integer refuses a fraction; 2.0 has none.
	Integer bool `json:"integer"`
	// SumOf names the items whose sum the number is.
	SumOf *sumParams `json:"sum_of"`
	// Tolerance is the largest difference between the sum and the number. Default 0.
	Tolerance *json.Number `json:"tolerance"`
}

// sumParams say what to add up.
type sumParams struct {
	// Items is the array's field.
	Items string `json:"items"`
	// Field is the field inside an item; empty means that the items are numbers.
	Field string `json:"field"`
}

// number accepts numbers in a range, and totals that equal the sum of their items. It computes exactly.
type number struct {
	place     place
	min, max  *big.Rat
	integer   bool
	sum       *sum
	tolerance *big.Rat
}

// sum is a list of numbers inside an answer.
type sum struct {
	items place
	field pointer
}

func newNumber(p numberParams) (check, error) {
	n := number{integer: p.Integer}
	var mistakes [6]error
	n.place, mistakes[0] = p.place()
	n.min, mistakes[1] = parameterNumber("min", p.Min)
	n.max, mistakes[2] = parameterNumber("max", p.Max)
	n.tolerance, mistakes[3] = parameterNumber("tolerance", p.Tolerance)
	n.sum, mistakes[4] = newSum(p)
	switch {
	case n.min != nil && n.max != nil && n.min.Cmp(n.max) > 0:
		mistakes[5] = errors.New(`parameter "min" is above "max"`)
	case n.tolerance != nil && n.tolerance.Sign() < 0:
		mistakes[5] = errors.New(`parameter "tolerance" must not be negative`)
	case n.tolerance != nil && p.SumOf == nil:
		mistakes[5] = errors.New(`parameter "tolerance" needs "sum_of"`)
	}
	return n, errors.Join(mistakes[:]...)
}

func newSum(p numberParams) (*sum, error) {
	if p.SumOf == nil {
		return nil, nil
	}
	if p.Field == "" || p.SumOf.Items == "" {
		return nil, errors.New(`parameter "sum_of" needs "field" and its own "items"`)
	}
	items, err := target{Field: p.SumOf.Items}.place()
	if err != nil {
		return nil, fmt.Errorf(`parameter "sum_of": %w`, err)
	}
	s := &sum{items: items}
	if p.SumOf.Field != "" {
		if s.field, err = newPointer(p.SumOf.Field); err != nil {
			return nil, fmt.Errorf(`parameter "sum_of": %w`, err)
		}
	}
	return s, nil
}

func (n number) judge(s *subject) (string, error) {
	text, ok, reason := n.place.text(s)
	if !ok {
		return reason, nil
	}
	value, err := parseDecimal(text)
	if err != nil {
		return fmt.Sprintf("%s %s: %s", n.place.what(), err.Error(), quote(text)), nil
	}
	if reason := n.outside(value); reason != "" {
		return reason, nil
	}
	if n.sum == nil {
		return "", nil
	}
	return n.compare(s, value), nil
}

func (n number) outside(value *big.Rat) string {
	switch {
	case n.integer && !value.IsInt():
		return fmt.Sprintf("%s is %s, not a whole number", n.place.what(), showDecimal(value))
	case n.min != nil && value.Cmp(n.min) < 0:
		return fmt.Sprintf("%s is %s, below %s", n.place.what(), showDecimal(value), showDecimal(n.min))
	case n.max != nil && value.Cmp(n.max) > 0:
		return fmt.Sprintf("%s is %s, above %s", n.place.what(), showDecimal(value), showDecimal(n.max))
	default:
		return ""
	}
}

func (n number) compare(s *subject, value *big.Rat) string {
	total, reason := n.sum.total(s)
	if reason != "" {
		return reason
	}
	difference := new(big.Rat).Sub(value, total)
	difference.Abs(difference)
	if difference.Sign() == 0 || (n.tolerance != nil && difference.Cmp(n.tolerance) <= 0) {
		return ""
	}
	return fmt.Sprintf("%s is %s, but its items add up to %s", n.place.what(), showDecimal(value), showDecimal(total))
}

// total adds the items up, or says why they cannot be.
func (s *sum) total(subject *subject) (total *big.Rat, reason string) {
	value, ok, reason := s.items.value(subject)
	if !ok {
		return nil, reason
	}
	items, ok := value.([]any)
	if !ok {
		return nil, fmt.Sprintf("%s is %s, not an array", s.items.what(), kindOf(value))
	}
	if len(items) > MaxItems {
		return nil, fmt.Sprintf("%s has more than %d items", s.items.what(), MaxItems)
	}
	total = new(big.Rat)
	for i, item := range items {
		amount, err := s.amount(item)
		if err != nil {
			return nil, fmt.Sprintf("item %d of %s %s", i, s.items.what(), err.Error())
		}
		total.Add(total, amount)
	}
	return total, ""
}

func (s *sum) amount(item any) (*big.Rat, error) {
	value, found := s.field.find(item)
	if !found {
		return nil, errors.New("has no amount")
	}
	text, ok := scalarText(value)
	if !ok {
		return nil, errNotNumber
	}
	return parseDecimal(text)
}
