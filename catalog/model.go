package catalog

import "cmp"

func readModel(name string, o *object) Model {
	o.require("provider", "name one of the providers")
	o.require("id", "write the provider's name for the model")
	o.require("tier", "write "+listed(tiers()))
	return Model{
		Name:       name,
		Provider:   o.text("provider", 0),
		ID:         readID(o),
		PriceModel: o.text("price_model", maxIDChars),
		Tier:       Tier(o.word("tier", "", tiers()...)),
		MaxInput:   o.integer("max_input", 0, 0, maxTokens),
		MaxOutput:  o.integer("max_output", 0, 0, maxTokens),
		Sideways:   o.texts("sideways", 0),
		JSONSchema: o.boolean("json_schema"),
		Input:      readInputs(o),

		Effort:         o.word("effort", "", efforts()...),
		ThinkingTokens: o.count("thinking_tokens", 0, minThinking, maxOutputTokens),
		ServiceTier:    o.word("service_tier", "", serviceTiers()...),
	}
}

// PricedAs is the model's name in the price book.
func (m Model) PricedAs() string { return cmp.Or(m.PriceModel, m.ID) }

func readID(o *object) string {
	id := o.text("id", maxIDChars)
	if n := o.values["id"]; n != nil && isText(n) && n.Value == "" {
		o.r.add(o.at("id"), "is empty; write the provider's name for the model")
	}
	return id
}

func tiers() []string { return []string{string(Mini), string(Mid), string(Flagship)} }

// rank orders tiers by price; 0 is no tier.
func (t Tier) rank() int {
	switch t {
	case Mini:
		return 1
	case Mid:
		return 2
	case Flagship:
		return 3
	default:
		return 0
	}
}
