package backlog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// invoiceAnswer is what is read from an invoice.
type invoiceAnswer struct {
	InvoiceNumber string       `json:"invoice_number"`
	Date          string       `json:"date"`
	Total         json.Number  `json:"total"`
	Currency      string       `json:"currency"`
	IBAN          string       `json:"iban"`
	Items         []itemAnswer `json:"items"`

	// What a careless reader takes for something else; empty when the invoice does not name it.
	order, due, debtor string
}

type itemAnswer struct {
	Description string      `json:"description"`
	Amount      json.Number `json:"amount"`
}

// decimal writes hundredths as a number.
func decimal(cents int) json.Number {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return json.Number(fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100))
}

func (a *invoiceAnswer) json() string { return marshal(a) }

func (a *invoiceAnswer) is(output string) bool {
	var other invoiceAnswer
	if json.Unmarshal([]byte(output), &other) != nil {
		return false
	}
	return a.InvoiceNumber == other.InvoiceNumber && a.Date == other.Date && a.Currency == other.Currency &&
		a.IBAN == strings.ReplaceAll(other.IBAN, " ", "") && sameAmount(a.Total, other.Total) &&
		slices.EqualFunc(a.Items, other.Items, func(x, y itemAnswer) bool {
			return plain(x.Description) == plain(y.Description) && sameAmount(x.Amount, y.Amount)
		})
}

// sameAmount compares numbers with at most two decimals: 12.5 is 12.50.
func sameAmount(a, b json.Number) bool { return withCents(a) == withCents(b) }

func withCents(n json.Number) string {
	whole, fraction, _ := strings.Cut(n.String(), ".")
	return whole + "." + (fraction + "00")[:max(2, len(fraction))]
}

func (a *invoiceAnswer) wrong(d *dice.Dice, noticeable bool) string {
	wrong := *a
	wrong.Items = slices.Clone(a.Items)
	if noticeable {
		wrong.breakRule(d)
		return wrong.json()
	}
	choices := []func(){
		func() { wrong.Currency = otherThan(d, []string{"EUR", "GBP", "USD", "CHF"}, a.Currency) },
		func() { wrong.Items = mergedItems(wrong.Items) },
	}
	if a.due != "" {
		choices = append(choices, func() { wrong.Date = a.due })
	}
	if a.order != "" {
		choices = append(choices, func() { wrong.InvoiceNumber = a.order })
	}
	if a.debtor != "" {
		choices = append(choices, func() { wrong.IBAN = a.debtor })
	}
	dice.Pick(d, choices)()
	return wrong.json()
}

// mergedItems gives the first item the name of the last: every figure is right, one word is not.
func mergedItems(items []itemAnswer) []itemAnswer {
	items[0].Description = items[len(items)-1].Description
	return items
}

// breakRule makes a mistake that arithmetic, a check digit or a look into the text finds.
func (a *invoiceAnswer) breakRule(d *dice.Dice) {
	switch d.Below(4) {
	case 0:
		a.Total = misread(d, a.Total)
	case 1:
		i := d.Below(len(a.Items))
		a.Items[i].Amount = misread(d, a.Items[i].Amount)
	case 2:
		a.IBAN = a.IBAN[:len(a.IBAN)-2] + swapped(a.IBAN[len(a.IBAN)-2:])
	default:
		a.Items = a.Items[:len(a.Items)-1]
		a.Items = append(a.Items, itemAnswer{Description: "Miscellaneous charges", Amount: misread(d, a.Total)})
	}
}

// swapped turns the last two digits of an account number around, or changes one where they are equal.
func swapped(pair string) string {
	if pair[0] != pair[1] {
		return pair[1:] + pair[:1]
	}
	return pair[:1] + string('0'+(pair[1]-'0'+1)%10)
}

// misread is a number with another first digit.
func misread(d *dice.Dice, n json.Number) json.Number {
	text := []byte(n.String())
	i := strings.IndexAny(n.String(), "0123456789")
	old := int(text[i] - '0')
	text[i] = "123456789"[(old+d.Below(8))%9] // never the digit itself
	return json.Number(text)
}

// readInvoice finds what an invoice says by its labels.
func (s *Solver) readInvoice(input string) (answer, int, bool) {
	r := invoiceReader{solver: s, facts: map[kind]string{}, truth: &invoiceAnswer{}}
	for line := range strings.Lines(input) {
		r.line(strings.TrimSpace(line))
	}
	if !r.finish() {
		return nil, 0, false
	}
	return r.truth, r.difficulty(input), true
}

// invoiceReader goes through an invoice line by line.
type invoiceReader struct {
	solver  *Solver
	facts   map[kind]string
	inItems bool
	pages   int
	truth   *invoiceAnswer
	locale  *locale
}

// finish reads dates and currency once all labels are known.
func (r *invoiceReader) finish() bool {
	if r.facts[kindNumber] == "" || r.facts[kindTotal] == "" || len(r.truth.Items) == 0 {
		return false
	}
	r.locale = r.solver.localeOf(r.facts[kindTotal], r.facts[kindDate])
	if r.locale == nil {
		return false
	}
	on, ok := r.locale.readDate(r.facts[kindDate])
	total, hasTotal := readMoney(r.facts[kindTotal])
	t := r.truth
	t.InvoiceNumber, t.order = r.facts[kindNumber], r.facts[kindOrder]
	t.Date, t.Total, t.Currency = on.iso(), decimal(total), r.locale.currency
	t.IBAN = strings.ReplaceAll(r.facts[kindIBAN], " ", "")
	t.debtor = strings.ReplaceAll(r.facts[kindDebtor], " ", "")
	if due, known := r.locale.readDate(r.facts[kindDue]); known {
		t.due = due.iso()
	}
	return ok && hasTotal && validIBAN(t.IBAN)
}

// localeOf is the locale whose currency a total is in and whose dates a date can be.
func (s *Solver) localeOf(total, date string) *locale {
	for i := range s.locales {
		l := &s.locales[i]
		if !strings.Contains(total, l.currency) && !strings.Contains(total, l.symbol) {
			continue
		}
		if _, ok := l.readDate(date); ok {
			return l
		}
	}
	return nil
}

func (r *invoiceReader) line(line string) {
	fields := splitFields(line)
	if len(fields) == 0 {
		return
	}
	k := r.solver.labelOf(fields[0])
	switch {
	case k == kindHeader:
		r.inItems = true
	case k == kindCarried:
		r.pages++
	case k == kindSubtotal:
		r.inItems = false
	case r.inItems:
		r.item(fields)
	case k == kindTax, k == kindDiscount, k == kindCarriage:
		r.item(fields)
	default:
		r.labels(line)
	}
}

// item adds a line that has a name first and an amount last.
func (r *invoiceReader) item(fields []string) {
	amount, ok := readMoney(fields[len(fields)-1])
	if !ok || len(fields) < 2 {
		return
	}
	r.truth.Items = append(r.truth.Items, itemAnswer{Description: fields[0], Amount: decimal(amount)})
}

// labels reads the one or two facts of a line.
func (r *invoiceReader) labels(line string) {
	fields := splitFields(line)
	for i := 0; i+1 < len(fields); i += 2 {
		if k := r.solver.labelOf(fields[i]); k != "" && r.facts[k] == "" {
			r.facts[k] = fields[i+1]
		}
	}
}

// labelOf is what a text announces, empty when it is no label.
func (s *Solver) labelOf(text string) kind {
	text = strings.ToLower(text)
	for _, l := range s.labels {
		if rest, ok := strings.CutPrefix(text, l.text); ok && (rest == "" || rest[0] == ' ') {
			return l.kind
		}
	}
	return ""
}

// splitFields cuts a line at what separates fields in any of the layouts: bars, semicolons, colons with a space, dots
// in a row and spaces in a row.
func splitFields(line string) []string {
	line = strings.TrimPrefix(line, "- ")
	line = strings.NewReplacer(" | ", "\t", "| ", "\t", " |", "\t", "; ", "\t", ": ", "\t", "  ", "\t").Replace(line)
	var fields []string
	for field := range strings.SplitSeq(line, "\t") {
		for part := range strings.SplitSeq(field, "....") {
			if part = strings.TrimLeft(strings.TrimSpace(part), "."); strings.TrimSpace(part) != "" {
				fields = append(fields, strings.TrimSpace(part))
			}
		}
	}
	return fields
}

func (r *invoiceReader) difficulty(input string) int {
	difficulty := 150 + min(len(r.truth.Items), 15)*22 + min(len(strings.Fields(input)), 600)/6
	if r.truth.debtor != "" {
		difficulty += 110
	}
	if strings.Count(r.facts[kindDate], "/") == 2 {
		difficulty += 90
	}
	if r.pages > 0 {
		difficulty += 120
	}
	if strings.Contains(input, "....") {
		difficulty += 60
	}
	if r.locale.months != nil {
		difficulty += 70
	}
	if strings.Contains(input, "-") && strings.ContainsAny(string(r.lowest()), "-") {
		difficulty += 90
	}
	return difficulty
}

// lowest is the first negative amount, empty when there is none.
func (r *invoiceReader) lowest() json.Number {
	for _, item := range r.truth.Items {
		if strings.HasPrefix(item.Amount.String(), "-") {
			return item.Amount
		}
	}
	return ""
}
