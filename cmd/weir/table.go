package main

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weirhq/weir/task"
)

// table is aligned text for people.
type table struct {
	columns []column
	rows    [][]string
}

// column is a heading; figures stand to the right, words to the left.
type column struct {
	title string
	left  bool
}

func words(title string) column   { return column{title: title, left: true} }
func figures(title string) column { return column{title: title} }

// columnGap separates columns.
const columnGap = "  "

// write prints the table without trailing spaces.
func (t *table) write(w io.Writer) error {
	widths := make([]int, len(t.columns))
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
	}
	lines := append([][]string{titles}, t.rows...)
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out bytes.Buffer
	for _, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			if i > 0 {
				text.WriteString(columnGap)
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.columns[i].left {
				text.WriteString(cell + pad)
				continue
			}
			text.WriteString(pad + cell)
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	_, err := w.Write(out.Bytes())
	return err
}

// none stands for a figure that does not exist: a share of nothing, a cost of no success.
const none = "-"

func showMoneyOr(p *task.Pico) string {
	if p == nil {
		return none
	}
	return usd(*p)
}

func showShare(share *float64) string {
	if share == nil {
		return none
	}
	return percent(*share)
}

// showCount groups digits by thousands.
func showCount[N ~int | ~int64](n N) string { return group(strconv.FormatInt(int64(n), 10)) }

func group(digits string) string {
	digits, negative := strings.CutPrefix(digits, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if negative {
		return "-" + digits
	}
	return digits
}
