package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/pricing/feed"
)

type pricesSyncCmd struct {
	bookFlags

	From  string  `required:"" type:"existingfile" help:"LiteLLM's model_prices_and_context_window.json."`
	And   string  `type:"existingfile" help:"The data.json of genai-prices, to hold against it."`
	At    instant `help:"The day on which proposed rows begin; today when absent."`
	Write string  `type:"existingdir" help:"Write a file for each provider into this directory, over none that is there."`
	All   bool    `help:"List the models that the book does not know."`
	JSON  bool    `help:"Print one JSON object."`
}

// Run shows where the feeds differ from the book in force, and proposes rows. It changes nothing but for the files of --write.
func (c *pricesSyncCmd) Run(a *app) error {
	book, err := c.book(a)
	if err != nil {
		return err
	}
	at := c.At.or(time.Now()).UTC().Truncate(24 * time.Hour)
	feeds, err := c.read(at)
	if err != nil {
		return err
	}
	p := feed.Compare(book, at, feeds...)
	files := p.Files(at)
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(p)
	} else {
		err = c.show(a, p)
	}
	for _, provider := range slices.Sorted(maps.Keys(files)) {
		switch {
		case err != nil:
			return err
		case c.Write != "":
			err = writeProposal(filepath.Join(c.Write, at.Format(time.DateOnly)+"-"+provider+".yaml"), files[provider])
		case !c.JSON:
			_, err = fmt.Fprintf(a.stdout, "---\n%s", files[provider])
		}
	}
	return err
}

func (c *pricesSyncCmd) read(at time.Time) ([]*feed.Feed, error) {
	data, err := os.ReadFile(c.From)
	if err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	first, err := feed.ReadLiteLLM(data)
	if err != nil || c.And == "" {
		return []*feed.Feed{first}, err
	}
	if data, err = os.ReadFile(c.And); err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	second, err := feed.ReadGenAI(data, at)
	return []*feed.Feed{first, second}, err
}

func writeProposal(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // no secrets are in it
	if err != nil {
		return fmt.Errorf("write proposed prices: %w", err)
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

func (c *pricesSyncCmd) show(a *app, p *feed.Proposal) error {
	t := table{columns: []column{
		words("model"), words("rate"), figures("above"), figures("book"), figures("listed"), figures("percent"), words("note"),
	}}
	for _, m := range p.Models {
		name := m.Provider + "/" + m.ID
		for _, ch := range m.Changes {
			var notes []string
			if ch.Large {
				notes = append(notes, "more than 20 %")
			}
			if m.NotProposed != "" {
				notes = append(notes, "not proposed: "+m.NotProposed)
			}
			t.rows = append(t.rows, []string{
				name, ch.Kind, fmt.Sprint(ch.Above), ch.Old.String(), ch.New.String(), ch.Percent, strings.Join(notes, "; "),
			})
		}
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	var lines []string
	for _, m := range p.Models {
		name := m.Provider + "/" + m.ID
		for _, text := range m.Disagreements {
			lines = append(lines, name+": the sources disagree: "+text)
		}
		for _, text := range m.Doubts {
			lines = append(lines, name+": "+text)
		}
		for _, text := range m.Lacks {
			lines = append(lines, name+": not listed by "+text)
		}
		if m.Retires != nil {
			lines = append(lines, name+": retires on "+m.Retires.Format(time.DateOnly))
		}
	}
	lines = append(lines, fmt.Sprintf("%d models compared, %d listed that the book does not know", p.Compared, len(p.Unknown)))
	if c.All {
		lines = append(lines, p.Unknown...)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
