package backlog

import (
	"bufio"
	"embed"
	"fmt"
	"strings"

	"github.com/weirhq/weir/providers/sim/dice"
)

//go:embed texts/*.txt
var textFiles embed.FS

// texts are the sentences that documents are made of: the lines of the embedded files by the name of their section.
type texts struct{ sections map[string][]string }

// readTexts parses the embedded files. They are a part of the program, so one that is broken is a broken program.
func readTexts() texts {
	t := texts{sections: map[string][]string{}}
	for _, name := range []string{"slots", "tickets", "contracts"} {
		file, err := textFiles.Open("texts/" + name + ".txt")
		if err != nil {
			panic(fmt.Sprintf("open the embedded texts: %v", err))
		}
		t.read(bufio.NewScanner(file))
		_ = file.Close()
	}
	return t
}

func (t texts) read(lines *bufio.Scanner) {
	section := ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		default:
			t.sections[section] = append(t.sections[section], line)
		}
	}
}

// of are the lines of a section; a section that is not there is a mistake in the program.
func (t texts) of(section string) []string {
	lines := t.sections[section]
	if len(lines) == 0 {
		panic("no text for " + section)
	}
	return lines
}

// write makes one sentence of a section.
func (t texts) write(d *dice.Dice, section string) string {
	return t.expand(d, dice.Pick(d, t.of(section)))
}

// expand makes a sentence of a line: it takes one of every choice, fills the slots and drops the asterisks.
func (t texts) expand(d *dice.Dice, line string) string {
	var b strings.Builder
	for line != "" {
		i := strings.IndexAny(line, "{<*")
		if i < 0 {
			break
		}
		b.WriteString(line[:i])
		switch line[i] {
		case '{':
			choice, rest, _ := strings.Cut(line[i+1:], "}")
			// What is chosen may hold a slot of its own.
			line = dice.Pick(d, strings.Split(choice, "|")) + rest
		case '<':
			slot, rest, _ := strings.Cut(line[i+1:], ">")
			b.WriteString(t.fill(d, slot))
			line = rest
		default:
			line = line[i+1:]
		}
	}
	b.WriteString(line)
	return b.String()
}

// fill is a value for a slot.
func (t texts) fill(d *dice.Dice, slot string) string {
	switch slot {
	case "date":
		return dateOf(d).format("2 January 2006")
	case "days":
		return fmt.Sprint(d.Between(4, 40))
	case "quantity":
		return fmt.Sprint(d.Between(3, 90))
	case "annex":
		i := d.Below(8)
		return "ABCDEFGH"[i : i+1]
	case "number":
		return fmt.Sprint(d.Between(10_000, 99_999))
	case "amount":
		return fmt.Sprintf("%d.%02d EUR", d.Between(9, 900), d.Below(100))
	case "order":
		return fmt.Sprintf("B-%06d", d.Below(1_000_000))
	case "invoice":
		return fmt.Sprintf("R%d-%04d", d.Between(2024, 2026), d.Below(10_000))
	case "contract":
		return fmt.Sprintf("V/%d", d.Between(100_000, 999_999))
	case "customer":
		return fmt.Sprintf("K%07d", d.Below(10_000_000))
	case "phone":
		return fmt.Sprintf("+44 20 7946 0%03d", d.Below(1000))
	case "time":
		return fmt.Sprintf("%02d:%02d", d.Between(6, 22), d.Below(12)*5)
	case "email":
		first, _, _ := strings.Cut(strings.ToLower(t.fill(d, "name")), " ")
		return strings.ReplaceAll(first, "é", "e") + "@mail.example"
	default:
		return dice.Pick(d, t.of("slot "+slot))
	}
}

// cuesOf are the phrases between asterisks in a line, in lower case.
func cuesOf(line string) []string {
	var cues []string
	parts := strings.Split(line, "*")
	for i := 1; i < len(parts); i += 2 {
		cues = append(cues, strings.ToLower(strings.TrimSpace(parts[i])))
	}
	return cues
}
