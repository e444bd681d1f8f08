package backlog

import (
	"fmt"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

// The ways in which an invoice's lines are set.
const (
	layoutColumns = iota
	layoutPipes
	layoutBullets
	layoutDots
	layouts
)

// charge is one line of an invoice with an amount in hundredths.
type charge struct {
	text   string
	pieces int
	price  int
	amount int
}

// bill is what an invoice says.
type bill struct {
	number, order string
	on, due       day
	supplier      string
	iban, debtor  string
	charges       []charge
	// extras are discount, carriage and tax, in their order.
	extras   []charge
	subtotal int
	total    int
}

// invoice writes a supplier's invoice. Its charges, tax and all, add up to its total.
func (w *writer) invoice(d *dice.Dice) (string, answer) {
	l := dice.Pick(d, w.locales)
	p := &page{writer: w, d: d, locale: &l, layout: d.Below(layouts)}
	b := p.bill()
	p.print(b)
	return p.text.String(), b.answer(&l)
}

// page is one invoice on its way to paper.
type page struct {
	*writer
	d      *dice.Dice
	locale *locale
	layout int
	text   strings.Builder
}

func (p *page) word(k kind) string { return dice.Pick(p.d, p.locale.words[k]) }

func (p *page) bill() *bill {
	d := p.d
	on := dateOf(d)
	b := &bill{
		number: dice.Pick(d, []string{
			fmt.Sprintf("INV-%d-%05d", on.Year(), d.Below(100_000)),
			fmt.Sprintf("%d/%06d", on.Year()%100, d.Between(100, 999_999)),
			fmt.Sprintf("RE%08d", d.Below(100_000_000)),
		}),
		order:    fmt.Sprintf("PO-%06d", d.Below(1_000_000)),
		on:       on,
		supplier: dice.Pick(d, p.texts.of("slot company")),
		iban:     newIBAN(d, dice.Pick(d, p.locale.countries)),
	}
	b.due = b.on.after(dice.Pick(d, []int{10, 14, 30, 45}))
	if d.Hits(220) {
		b.debtor = newIBAN(d, dice.Pick(d, p.locale.countries))
	}
	p.charges(b)
	return b
}

func (p *page) charges(b *bill) {
	names := append([]string{}, p.locale.items...)
	dice.Shuffle(p.d, names)
	for _, name := range names[:min(len(names), max(1, p.d.LogNormal(4, 600)))] {
		c := charge{text: name, pieces: 1 + p.d.Below(12)*p.d.Below(2), price: p.d.LogNormal(4_900, 1_100) + 45}
		c.amount = c.pieces * c.price
		b.charges = append(b.charges, c)
		b.subtotal += c.amount
	}
	net := b.subtotal
	if p.d.Hits(180) {
		rate := p.d.Between(2, 15)
		net += p.extra(b, fmt.Sprintf("%s %d %%", p.word(kindDiscount), rate), -roundedShare(b.subtotal, rate*10))
	}
	if p.d.Hits(350) {
		net += p.extra(b, p.word(kindCarriage), p.d.Between(350, 4_900))
	}
	rate := dice.Pick(p.d, p.locale.taxes)
	percent := fmt.Sprintf("%s %d %%", p.word(kindTax), rate/10)
	if rate%10 != 0 {
		percent = fmt.Sprintf("%s %d%s%d %%", p.word(kindTax), rate/10, p.locale.decimal, rate%10)
	}
	b.total = net + p.extra(b, percent, roundedShare(net, rate))
}

func (p *page) extra(b *bill, text string, amount int) int {
	b.extras = append(b.extras, charge{text: text, amount: amount})
	return amount
}

// roundedShare is so many thousandths of an amount, rounded half up.
func roundedShare(amount, perMille int) int { return (amount*perMille + 500) / 1000 }

func (p *page) line(parts ...string) {
	for _, part := range parts {
		p.text.WriteString(part)
	}
	p.text.WriteByte('\n')
}

func (p *page) print(b *bill) {
	p.line(b.supplier)
	p.line(fmt.Sprintf("%d %s, %s", p.d.Between(1, 140), dice.Pick(p.d, p.texts.of("slot street")), dice.Pick(p.d, p.texts.of("slot city"))))
	p.line()
	p.facts(b)
	p.line()
	p.remarks(p.d.Below(3))
	p.header()
	p.items(b)
	p.sums(b)
	p.line()
	p.amount(p.word(kindIBAN), p.account(b.iban))
	if b.debtor != "" {
		p.amount(p.word(kindDebtor), p.account(b.debtor))
	}
	p.line()
	p.remarks(p.d.LogNormal(2, 700))
	p.line(b.supplier, dice.Pick(p.d, []string{", reg. 4471920", " | registered office", ", page 1 of 1"}))
}

// facts writes number, dates and references in some order, sometimes two on a line.
func (p *page) facts(b *bill) {
	facts := [][2]string{
		{p.word(kindNumber), b.number},
		{p.word(kindDate), p.locale.date(p.d, b.on)},
		{p.word(kindOrder), b.order},
		{p.word(kindDue), p.locale.date(p.d, b.due)},
		{p.word(kindCustomer), fmt.Sprint(p.d.Between(10_000, 99_999))},
	}
	facts = facts[:p.d.Between(3, len(facts))]
	dice.Shuffle(p.d, facts)
	double := p.d.Hits(250)
	for i, fact := range facts {
		p.text.WriteString(fact[0] + ": " + fact[1])
		if double && i%2 == 0 && i+1 < len(facts) {
			p.text.WriteString("      ")
			continue
		}
		p.line()
	}
}

func (p *page) remarks(n int) {
	for range min(n, 12) {
		p.line(dice.Pick(p.d, p.locale.remarks))
	}
}

func (p *page) account(iban string) string {
	if p.d.Hits(700) {
		return inFours(iban)
	}
	return iban
}

func (p *page) header() {
	switch p.layout {
	case layoutPipes:
		p.line("| ", p.locale.words[kindHeader][0], " | | | |")
	case layoutBullets:
		p.line(p.locale.words[kindHeader][1])
	default:
		p.line(p.locale.words[kindHeader][0])
	}
}

func (p *page) items(b *bill) {
	turn := -1 // the line after which a page ends
	if len(b.charges) > 3 && p.d.Hits(300) {
		turn = p.d.Between(1, len(b.charges)-2)
	}
	carried := 0
	for i, c := range b.charges {
		p.item(c)
		carried += c.amount
		if i == turn {
			p.amount(p.word(kindCarried), p.locale.money(carried))
			p.line("--- 2 ---")
			p.amount(p.word(kindCarried), p.locale.money(carried))
		}
	}
}

func (p *page) item(c charge) {
	l := p.locale
	switch p.layout {
	case layoutPipes:
		p.line("| ", c.text, " | ", fmt.Sprint(c.pieces), " | ", l.money(c.price), " | ", l.money(c.amount), " |")
	case layoutBullets:
		p.line("- ", c.text, "; ", fmt.Sprint(c.pieces), " ", l.pieces, " ", l.money(c.price), "; ", l.money(c.amount))
	case layoutDots:
		p.line(c.text, " ........ ", fmt.Sprint(c.pieces), " ..... ", l.money(c.price), " ..... ", l.money(c.amount))
	default:
		p.line(fmt.Sprintf("%-38s  %4d  %12s  %14s", c.text, c.pieces, l.money(c.price), l.money(c.amount)))
	}
}

func (p *page) sums(b *bill) {
	p.amount(p.word(kindSubtotal), p.locale.money(b.subtotal))
	for _, extra := range b.extras {
		p.amount(extra.text, p.locale.money(extra.amount))
	}
	total := p.locale.money(b.total)
	switch p.d.Below(3) {
	case 0:
		total = p.locale.currency + " " + total
	case 1:
		total += " " + p.locale.currency
	default:
		total = p.locale.symbol + " " + total
	}
	p.amount(p.word(kindTotal), total)
}

// amount writes a label and its value as the layout sets them.
func (p *page) amount(text, value string) {
	switch p.layout {
	case layoutPipes:
		p.line("| ", text, " | ", value, " |")
	case layoutDots:
		p.line(text, " ........ ", value)
	case layoutBullets:
		p.line(text, ": ", value)
	default:
		p.line(fmt.Sprintf("%-46s  %28s", text, value))
	}
}

func (b *bill) answer(l *locale) answer {
	a := &invoiceAnswer{
		InvoiceNumber: b.number, Date: b.on.iso(), Total: decimal(b.total), Currency: l.currency, IBAN: b.iban,
	}
	for _, c := range append(append([]charge{}, b.charges...), b.extras...) {
		a.Items = append(a.Items, itemAnswer{Description: c.text, Amount: decimal(c.amount)})
	}
	return a
}
