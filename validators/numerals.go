package validators

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGroups is the most groups of digits that are read as one number written with spaces, as in 12 345 678.
const maxGroups = 6

// cluster is a run of digits with single points, commas or apostrophes between them: 1,234.50 or 23.11.2024.
type cluster struct {
	text string
	// glued says that a letter stands directly before, as in A4.
	glued bool
	// spaced says that one space and nothing else stands between the cluster before and this one.
	spaced bool
}

// readNumbers finds the numbers of a folded text and writes each in plain decimal form, 1234.5, in every way in which it
// can be read: 1,234 is 1234 and 1.234, and 12 345 is 12, 345 and 12345. Signs are left out: a debit of 5 may be written
// -5, (5) or 5-.
func readNumbers(text string) []string {
	var readings []string
	clusters := findClusters(text)
	for i, c := range clusters {
		readings = append(readings, c.readings()...)
		readings = append(readings, readSpaced(clusters[i:min(i+maxGroups, len(clusters))])...)
	}
	return readings
}

// findClusters cuts the clusters out of a text.
func findClusters(text string) []cluster {
	var found []cluster
	end := -2 // of the cluster before
	for i := 0; i < len(text); i++ {
		if !isDigit(text[i]) {
			continue
		}
		start := i
		for i < len(text) && (isDigit(text[i]) || (isSeparator(text[i]) && i+1 < len(text) && isDigit(text[i+1]))) {
			i++
		}
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		found = append(found, cluster{
			text:   text[start:i],
			glued:  unicode.IsLetter(before),
			spaced: start == end+1 && text[end] == ' ',
		})
		end = i
	}
	return found
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isSeparator(c byte) bool { return c == '.' || c == ',' || c == '\'' }

// readings are the numbers that a cluster can be. One that is no number as a whole, such as a date, is several.
func (c cluster) readings() []string {
	const short = 3 // a number of fewer digits must not follow a letter
	if c.glued && len(c.text) < short {
		return nil
	}
	if whole := readCluster(c.text); len(whole) > 0 {
		return whole
	}
	var readings []string
	for part := range strings.FieldsFuncSeq(c.text, func(r rune) bool { return r < '0' || r > '9' }) {
		readings = append(readings, plainNumber(part, "")...)
	}
	return readings
}

// readCluster reads a cluster as one number: with the last separator as the decimal sign, and with all of them between
// thousands.
func readCluster(text string) []string {
	last := strings.LastIndexAny(text, ".,'")
	if last < 0 {
		return plainNumber(text, "")
	}
	var readings []string
	if text[last] != '\'' && !strings.Contains(text[:last], text[last:last+1]) {
		if whole, ok := ungroup(text[:last]); ok {
			readings = append(readings, plainNumber(whole, text[last+1:])...)
		}
	}
	if whole, ok := ungroup(text); ok {
		readings = append(readings, plainNumber(whole, "")...)
	}
	return readings
}

// ungroup takes the separators out of a whole number: all the same, three digits after the last one and two or three
// after the others (12,34,567 in India).
func ungroup(text string) (string, bool) {
	i := strings.IndexAny(text, ".,'")
	if i < 0 {
		return text, true
	}
	groups := strings.Split(text, text[i:i+1])
	if !isGrouped(groups) {
		return "", false
	}
	return strings.Join(groups, ""), true
}

func isGrouped(groups []string) bool {
	const thousand = 3
	for i, group := range groups {
		first, last := i == 0, i == len(groups)-1
		switch {
		case !allDigits(group), len(group) > thousand:
			return false
		case last && len(group) != thousand, !first && len(group) < thousand-1:
			return false
		}
	}
	return true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// readSpaced reads the numbers with spaces between thousands that begin with the first cluster.
func readSpaced(clusters []cluster) []string {
	var readings []string
	digits := clusters[0].text
	if !allDigits(digits) || len(digits) > 3 {
		return nil
	}
	for _, next := range clusters[1:] {
		whole, fraction, _ := cutDecimal(next.text)
		if !next.spaced || len(whole) != 3 || !allDigits(whole) {
			return readings
		}
		digits += whole
		readings = append(readings, plainNumber(digits, fraction)...)
		if fraction != "" {
			return readings
		}
	}
	return readings
}

func cutDecimal(text string) (whole, fraction string, found bool) {
	i := strings.IndexAny(text, ".,")
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// plainNumber joins the digits before and after the decimal sign without needless zeros. A whole part with zeros in front
// is a code, not a number.
func plainNumber(whole, fraction string) []string {
	if !allDigits(whole) || (fraction != "" && !allDigits(fraction)) || (len(whole) > 1 && whole[0] == '0') {
		return nil
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return []string{whole}
	}
	return []string{whole + "." + fraction}
}
