package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// languageScriptParams are the parameters of language_script.
type languageScriptParams struct {
	target
	// Scripts are Unicode scripts in lower case, such as latin, cyrillic or han; letters of any of them count.
	Scripts []string `json:"scripts"`
	// MinShare is the least share of the letters, 0 to 1. Default 0.8.
	MinShare *json.Number `json:"min_share"`
}

// languageScript accepts texts whose letters are mostly of the given scripts. A text without letters is accepted.
type languageScript struct {
	place  place
	names  string
	tables []*unicode.RangeTable
	share  *big.Rat
}

func newLanguageScript(p languageScriptParams) (check, error) {
	place, placeErr := p.rawPlace()
	l := languageScript{place: place, names: strings.Join(p.Scripts, " or "), share: big.NewRat(4, 5)}
	mistakes := []error{placeErr, checkList("scripts", p.Scripts, 1)}
	byName := scriptTables()
	for _, name := range p.Scripts {
		table, known := byName[name]
		if !known {
			mistakes = append(mistakes, fmt.Errorf(`parameter "scripts": %q is not a Unicode script`, name))
			continue
		}
		l.tables = append(l.tables, table)
	}
	share, err := parameterNumber("min_share", p.MinShare)
	mistakes = append(mistakes, err)
	if share != nil {
		l.share = share
	}
	if l.share.Sign() < 0 || l.share.Cmp(big.NewRat(1, 1)) > 0 {
		mistakes = append(mistakes, errors.New(`parameter "min_share" is not between 0 and 1`))
	}
	return l, errors.Join(mistakes...)
}

// scriptTables are Unicode's scripts by their names in lower case.
func scriptTables() map[string]*unicode.RangeTable {
	tables := make(map[string]*unicode.RangeTable, len(unicode.Scripts))
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" {
			tables[strings.ToLower(name)] = table
		}
	}
	return tables
}

func (l languageScript) judge(s *subject) (string, error) {
	text, ok, reason := l.place.text(s)
	if !ok {
		return reason, nil
	}
	letters, counted := l.count(text)
	if letters == 0 || big.NewRat(counted, letters).Cmp(l.share) >= 0 {
		return "", nil
	}
	return fmt.Sprintf("%d of the %d letters of %s are %s, fewer than the share of %s",
		counted, letters, l.place.what(), l.names, showDecimal(l.share)), nil
}

// count is the number of letters, those that belong to no single script left out, and of those in the scripts.
func (l languageScript) count(text string) (letters, counted int64) {
	for _, r := range text {
		if !unicode.IsLetter(r) || unicode.Is(unicode.Common, r) {
			continue
		}
		letters++
		if unicode.In(r, l.tables...) {
			counted++
		}
	}
	return letters, counted
}
