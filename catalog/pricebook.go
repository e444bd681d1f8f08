package catalog

import (
	"encoding/json"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Prices are a provider's section of price_book. What stands in it is the price book's to read, as a validator's parameters
// are the validator's.
type Prices struct {
	// Content is the section as canonical JSON.
	Content json.RawMessage
	// Node is the section as it stands, with its lines.
	Node *yaml.Node `json:"-"`
}

func readPriceBook(o *object) map[string]Prices {
	out := make(map[string]Prices, len(o.keys))
	for _, provider := range o.keys {
		n, path := o.get(provider), o.at(provider)
		if provider == "" || utf8.RuneCountInString(provider) > MaxNameChars {
			o.r.add(path, "must name a provider of the price book in at most %d characters", MaxNameChars)
			continue
		}
		if isNull(n) {
			o.r.add(path, "is empty; write usage and models, as in a file of the price book")
			continue
		}
		out[provider] = Prices{Content: canonicalJSON(n, path, o.r), Node: n}
	}
	return out
}
