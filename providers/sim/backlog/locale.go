package backlog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/providers/sim/dice"
)

// day is a date without a time.
type day struct{ time.Time }

// dateOf is a day of the years 2024 to 2026.
func dateOf(d *dice.Dice) day {
	return day{time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d.Below(1035))}
}

func (d day) after(days int) day { return day{d.AddDate(0, 0, days)} }

func (d day) format(layout string) string { return d.Format(layout) }

func (d day) iso() string { return d.Format(time.DateOnly) }

// locale is how invoices of one country are written.
type locale struct {
	currency string
	// symbol may stand for the currency.
	symbol    string
	countries []string
	// dates are the layouts of dates; months, when there are any, replace the English names.
	dates              []string
	months             []string
	thousands, decimal string
	words              map[kind][]string
	items              []string
	remarks            []string
	taxes              []int // in tenths of a per cent
	pieces             string
}

// kind is what a label on an invoice announces.
type kind string

const (
	kindNumber   kind = "number"
	kindDate     kind = "date"
	kindOrder    kind = "order"
	kindDue      kind = "due"
	kindCustomer kind = "customer"
	kindIBAN     kind = "iban"
	kindDebtor   kind = "debtor"
	kindHeader   kind = "header"
	kindSubtotal kind = "subtotal"
	kindDiscount kind = "discount"
	kindCarriage kind = "carriage"
	kindTax      kind = "tax"
	kindTotal    kind = "total"
	kindCarried  kind = "carried"
)

// label is a word that announces something, in lower case.
type label struct {
	text string
	kind kind
}

// labelsOf are the labels of all locales, the longest first, so that one that begins another is tried after it.
func labelsOf(locales []locale) []label {
	var labels []label
	for _, l := range locales {
		for k, words := range l.words {
			for _, word := range words {
				labels = append(labels, label{text: strings.ToLower(word), kind: k})
			}
		}
	}
	slices.SortFunc(labels, func(a, b label) int {
		if n := len(b.text) - len(a.text); n != 0 {
			return n
		}
		return strings.Compare(a.text, b.text)
	})
	return slices.Compact(labels)
}

// money writes an amount of hundredths.
func (l *locale) money(cents int) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	whole := strconv.Itoa(cents / 100)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + l.thousands + whole[i:]
	}
	return sign + whole + l.decimal + twoDigits(cents%100)
}

func twoDigits(n int) string { return fmt.Sprintf("%02d", n) }

// readMoney reads an amount with two decimals, however it is grouped.
func readMoney(text string) (cents int, ok bool) {
	digits := 0
	for _, c := range []byte(text) {
		if c >= '0' && c <= '9' && digits < 12 {
			cents = cents*10 + int(c-'0')
			digits++
		}
	}
	if strings.Contains(text, "-") {
		cents = -cents
	}
	return cents, digits >= 3
}

// date writes a day.
func (l *locale) date(d *dice.Dice, on day) string {
	text := on.format(dice.Pick(d, l.dates))
	if l.months != nil {
		text = strings.Replace(text, on.Month().String(), l.months[on.Month()-1], 1)
	}
	return text
}

// readDate reads a day in any of the layouts.
func (l *locale) readDate(text string) (day, bool) {
	for i, month := range l.months {
		text = strings.Replace(text, month, time.Month(i+1).String(), 1)
	}
	for _, layout := range l.dates {
		if on, err := time.Parse(layout, text); err == nil {
			return day{on}, true
		}
	}
	return day{}, false
}
