package main

import (
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/store"
)

// priceRows are the book's rows as the ledger keeps them: store knows nothing of the price book.
func priceRows(book *pricing.Book) []store.Price {
	rows := book.Rows()
	prices := make([]store.Price, len(rows))
	for i, r := range rows {
		prices[i] = store.Price{
			Key: r.Key, Provider: r.Provider, Model: r.Model, Match: r.Match, From: r.From, Until: r.Until,
			Status: string(r.Status), Variant: r.Variant, Band: r.Band, MaxPrompt: r.MaxPrompt,
			EdgeAbove: r.Boundary == "gte", Rates: r.Rates, WebSearch: r.WebSearch, Modes: r.Modes, Geo: r.Geo,
			Source: r.Source, Checked: r.Checked,
		}
	}
	return prices
}
