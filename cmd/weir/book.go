package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/pricing"
)

// bookFiles are where prices of one's own are.
type bookFiles struct {
	// dir holds price files; empty is none.
	dir string
	// config is the path of the weir.yaml whose price_book lies over them.
	config string
}

// book is the price book in force: weir's own, over it the directory's files, over those weir.yaml's. Whatever prices
// anything takes this one.
func (f bookFiles) book(c *catalog.Catalog) (*pricing.Book, error) {
	var over []pricing.Override
	if f.dir != "" {
		files, err := pricing.ReadOverrides(os.DirFS(f.dir), f.dir)
		if err != nil {
			return nil, err
		}
		over = files
	}
	for _, provider := range sortedKeys(c.PriceBook) {
		over = append(over, pricing.Override{Name: f.config, Provider: provider, Section: c.PriceBook[provider].Node})
	}
	return pricing.Compose(over...)
}

// bookFlags are the flags of commands that want the price book and can do without weir.yaml.
type bookFlags struct {
	PricingDir string `type:"path" help:"Price files that lie over weir's own; WEIR_PRICING_DIR when absent."`
	Config     string `type:"path" help:"The weir.yaml whose price_book counts; WEIR_CONFIG or ./weir.yaml when absent."`
}

// book is the price book in force. Without a weir.yaml of that name nothing of it counts, unless the name was given.
func (f *bookFlags) book(a *app) (*pricing.Book, error) {
	files := bookFiles{dir: fallback(f.PricingDir, a.config.PricingDir), config: fallback(f.Config, a.config.ConfigFile)}
	data, err := os.ReadFile(files.config)
	switch {
	case errors.Is(err, os.ErrNotExist) && files.config == defaultConfigFile:
		return files.book(&catalog.Catalog{})
	case err != nil:
		return nil, fmt.Errorf("read the configuration's price_book: %w", err)
	}
	c, err := catalog.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s has mistakes, so its price_book is not known:\n%w", files.config, err)
	}
	return files.book(c)
}
