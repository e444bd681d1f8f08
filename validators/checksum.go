package validators

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// checksumParams are the parameters of checksum.
type checksumParams struct {
	target
	// Algo is luhn, iban, isbn, ean or sha256.
	Algo string `json:"algo"`
	// Metadata names the entry of the task's metadata that holds the SHA-256 in hex; only for sha256.
	Metadata string `json:"metadata"`
}

// checksum accepts codes whose check digits are right, or texts with the SHA-256 that the task names.
type checksum struct {
	params checksumParams
	place  place
	valid  func(string) bool
}

func newChecksum(p checksumParams) (check, error) {
	place, err := p.place()
	valid := map[string]func(string) bool{"luhn": validLuhn, "iban": validIBAN, "isbn": validISBN, "ean": validEAN}
	mistakes := []error{err, checkWord("algo", p.Algo, "luhn", "iban", "isbn", "ean", "sha256")}
	if p.Algo == "sha256" && p.Metadata == "" {
		mistakes = append(mistakes, errors.New(`parameter "metadata" is missing: sha256 compares with an entry of it`))
	}
	if p.Algo != "sha256" && p.Metadata != "" {
		mistakes = append(mistakes, errors.New(`parameter "metadata" is only for sha256`))
	}
	return checksum{params: p, place: place, valid: valid[p.Algo]}, errors.Join(mistakes...)
}

func (c checksum) judge(s *subject) (string, error) {
	text, ok, reason := c.place.text(s)
	if !ok {
		return reason, nil
	}
	if c.params.Algo == "sha256" {
		return c.judgeSHA256(s, text)
	}
	code := strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(text))
	const most = 64 // characters; no code is as long
	if len(code) > most || !c.valid(code) {
		return fmt.Sprintf("%s is %s, which fails the %s check", c.place.what(), quote(text), c.params.Algo), nil
	}
	return "", nil
}

func (c checksum) judgeSHA256(s *subject, text string) (string, error) {
	if s.answer.Task == nil {
		return "", errNoTask
	}
	want, ok := s.answer.Task.Metadata[c.params.Metadata]
	if !ok {
		return "", fmt.Errorf("the task's metadata has no entry %q", c.params.Metadata)
	}
	sum := sha256.Sum256([]byte(text))
	if !strings.EqualFold(strings.TrimSpace(want), hex.EncodeToString(sum[:])) {
		return fmt.Sprintf("%s has another SHA-256 than the task's metadata names", c.place.what()), nil
	}
	return "", nil
}

// validLuhn checks card and account numbers (ISO/IEC 7812-1, annex B).
func validLuhn(code string) bool {
	if !allDigits(code) || len(code) < 2 {
		return false
	}
	sum := 0
	for i := range len(code) {
		d := int(code[len(code)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum%10 == 0
}

// validIBAN checks the form and the remainder by 97 (ISO 13616), in upper or lower case.
func validIBAN(code string) bool {
	const shortest, longest = 15, 34
	code = strings.ToUpper(code)
	if len(code) < shortest || len(code) > longest || !isUpper(code[0]) || !isUpper(code[1]) || !allDigits(code[2:4]) {
		return false
	}
	remainder := 0
	for _, c := range []byte(code[4:] + code[:4]) {
		switch {
		case isDigit(c):
			remainder = (remainder*10 + int(c-'0')) % 97
		case isUpper(c):
			remainder = (remainder*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return remainder == 1
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// validISBN checks ISBN-10, whose last digit may be X, and ISBN-13.
func validISBN(code string) bool {
	const short, long = 10, 13
	if len(code) == long {
		return (strings.HasPrefix(code, "978") || strings.HasPrefix(code, "979")) && validEAN(code)
	}
	if len(code) != short || !allDigits(code[:short-1]) {
		return false
	}
	last := code[short-1]
	sum := int(last - '0')
	if last == 'X' || last == 'x' {
		sum = 10
	} else if !isDigit(last) {
		return false
	}
	for i := range short - 1 {
		sum += (short - i) * int(code[i]-'0')
	}
	return sum%11 == 0
}

// validEAN checks EAN-8, UPC-A, EAN-13 and GTIN-14.
func validEAN(code string) bool {
	switch len(code) {
	case 8, 12, 13, 14:
	default:
		return false
	}
	if !allDigits(code) {
		return false
	}
	sum := 0
	for i := range len(code) {
		weight := 1 + 2*(i%2) // from the right: 1, 3, 1, 3, ...
		sum += weight * int(code[len(code)-1-i]-'0')
	}
	return sum%10 == 0
}
