package sim

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirhq/weir/providers/sim/dice"
)

// translation plays a translation service. It knows no language: a word becomes a made-up one of the target's script, the
// same word always the same, and all else stays. What fails is what fails in such services: a text that comes back as it was,
// one whose end is missing, other words.
func (p *player) translation(t translation, m *model, d *dice.Dice) answer {
	a := answer{played: played(m, 0, d), text: gibberish(p.seed, t.text, t.target)}
	switch a.played {
	case PlayedMalformed:
		a.text = t.text
	case PlayedOff:
		a.text = wholeRunes(a.text[:len(a.text)/2])
	case PlayedWrong:
		a.text = gibberish(d.Uint64(), t.text, t.target)
	case PlayedRight, PlayedTruncated, PlayedRefused, PlayedRecorded:
	}
	return a
}

// gibberish replaces every word of a text.
func gibberish(seed uint64, text, target string) string {
	var out strings.Builder
	for len(text) > 0 {
		end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
		if end < 0 {
			end = len(text)
		}
		if end > 0 {
			out.WriteString(madeUp(seed, text[:end], target))
			text = text[end:]
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		out.WriteString(text[:size])
		text = text[size:]
	}
	return out.String()
}

// madeUp is a word of about the length of another, with a capital where that has one.
func madeUp(seed uint64, word, target string) string {
	parts := syllables(target)
	d := dice.New(dice.Hash(dice.Hash(seed, strings.ToLower(target)), strings.ToLower(word)), "word")
	n := max(1, utf8.RuneCountInString(word)/utf8.RuneCountInString(parts[0]))
	var out strings.Builder
	for range n {
		out.WriteString(dice.Pick(d, parts))
	}
	first, size := utf8.DecodeRuneInString(out.String())
	if initial, _ := utf8.DecodeRuneInString(word); unicode.IsUpper(initial) {
		return string(unicode.ToUpper(first)) + out.String()[size:]
	}
	return out.String()
}

// syllables are some of the script that a language is written in, Latin where it is not known.
func syllables(language string) []string {
	base, _, _ := strings.Cut(strings.ToLower(language), "-")
	switch base {
	case "ru", "uk", "bg", "sr", "mk", "be":
		return []string{"ба", "не", "ри", "то", "лу", "са", "ми", "ко", "де", "ва"}
	case "el":
		return []string{"βα", "νε", "ρι", "το", "λυ", "σα", "μι", "κο", "δε", "πα"}
	case "ar", "fa", "ur":
		return []string{"با", "نو", "ري", "تو", "لا", "سا", "مي", "كو", "دا", "فا"}
	case "he":
		return []string{"בא", "נו", "רי", "תו", "לא", "סא", "מי", "קו", "דא", "פא"}
	case "ja":
		return []string{"か", "の", "り", "と", "る", "さ", "み", "こ", "て", "は"}
	case "ko":
		return []string{"가", "나", "리", "도", "루", "사", "미", "고", "데", "하"}
	case "zh":
		return []string{"人", "山", "水", "火", "木", "日", "月", "田", "大", "小"}
	}
	return []string{"ba", "ne", "ri", "to", "lu", "sa", "mi", "ko", "de", "va"}
}
