package backlog

import (
	"fmt"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// newIBAN makes an account number with the length and the check digits of its country.
func newIBAN(d *dice.Dice, country string) string {
	letters, digits := 0, 0
	switch country {
	case "AT":
		digits = 16
	case "CH":
		digits = 17
	case "ES":
		digits = 20
	case "FR":
		digits = 23
	case "GB", "IE":
		letters, digits = 4, 14
	case "NL":
		letters, digits = 4, 10
	default: // DE
		digits = 18
	}
	var b strings.Builder
	for range letters {
		b.WriteByte("ABCDEFGHIJKLMNOPRSTUVWXYZ"[d.Below(25)])
	}
	for range digits {
		b.WriteByte("0123456789"[d.Below(10)])
	}
	account := b.String()
	return fmt.Sprintf("%s%02d%s", country, 98-remainder97(account+country+"00"), account)
}

// validIBAN checks the remainder of an account number without spaces.
func validIBAN(iban string) bool {
	const shortest = 15
	return len(iban) >= shortest && remainder97(iban[4:]+iban[:4]) == 1
}

// remainder97 is a code by 97 with letters as numbers from 10 on; -1 when there is anything else in it.
func remainder97(code string) int {
	remainder := 0
	for _, c := range []byte(code) {
		switch {
		case c >= '0' && c <= '9':
			remainder = (remainder*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			remainder = (remainder*100 + int(c-'A') + 10) % 97
		default:
			return -1
		}
	}
	return remainder
}

// inFours groups an account number as it is printed.
func inFours(iban string) string {
	var b strings.Builder
	for i, c := range []byte(iban) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(c)
	}
	return b.String()
}
