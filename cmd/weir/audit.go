package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/audit"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/pricing"
)

type auditCmd struct {
	Files     []string          `arg:"" type:"existingfile" help:"Usage logs: CSV, JSON or JSON Lines, also as .gz."`
	Format    string            `help:"What the files are, where it is not to be found out: plain or the name of an export."`
	Map       map[string]string `mapsep:"," placeholder:"FIELD=COLUMN,..." help:"The columns of plain files by field."`
	Top       int               `default:"20" help:"How many call paths are shown, those that spend most."`
	Provider  string            `help:"Whose models calls could go to: anthropic, openai or gemini; where most is spent when absent."`
	Accepted  float64           `default:"0.8" help:"The assumed share of answers that validation accepts, of each model."`
	Batchable float64           `default:"0.25" help:"The assumed share of calls that can wait for hours."`
	Model     string            `type:"existingfile" placeholder:"FILE" help:"A classifier's model that 'weir train' wrote, beside the rules."`
	JSON      bool              `help:"Print one JSON object."`
	Markdown  string            `type:"path" placeholder:"FILE" help:"Write the report as Markdown too."`
	HTML      string            `name:"html" type:"path" placeholder:"FILE" help:"Write the report as a page with charts too."`
	Config    string            `name:"write-config" type:"path" placeholder:"FILE" help:"Write a weir.yaml to start from too."`
	Force     bool              `help:"Overwrite the file of --write-config if it is there."`
	Quiet     bool              `help:"Show no progress."`
}

// Help is the long help.
func (auditCmd) Help() string {
	return `Reads usage logs and says where the money goes, call path by call path, and what the calls would cost after routing,
caching and batching. Known exports: ` + strings.Join(audit.Formats(), ", ") + `. Anything else with a time, a model, and tokens or a
cost is read as plain: --map at=when,model=engine,input_tokens=in,output_tokens=out names its columns; fields are
` + strings.Join(audit.Fields(), ", ") + `.`
}

// Run audits files.
func (c *auditCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	book, err := (&bookFlags{}).book(a)
	if err != nil {
		return err
	}
	ways, err := c.ways(ctx)
	if err != nil {
		return err
	}
	collector := audit.NewCollector(book)
	readings, err := c.read(ctx, a, collector)
	if err != nil {
		return err
	}
	if bad, first := audit.Bad(readings); !slices.ContainsFunc(readings, func(g *audit.Reading) bool { return g.Rows > 0 }) {
		if bad == 0 {
			return errors.New("no row of the files is a call")
		}
		return fmt.Errorf("no row of the files could be read; of %d bad ones the first is %s:%d: %s", bad, first[0].File, first[0].Line, first[0].Reason)
	}
	ladder := c.ladder(collector)
	assume := audit.DefaultAssumptions()
	assume.Accepted, assume.Batchable = c.Accepted, c.Batchable
	report, err := collector.Report(audit.Config{
		Classifier: ways, Ladder: targets(ladder, book), Top: c.Top, Assume: assume, Now: time.Now(),
	}, readings)
	if err != nil {
		return err
	}
	return c.write(a, report, ladder)
}

func (c *auditCmd) check() error {
	switch {
	case c.Accepted <= 0 || c.Accepted > 1:
		return fmt.Errorf("%w: --accepted is %g; it must be above 0 and at most 1", errUsage, c.Accepted)
	case c.Batchable < 0 || c.Batchable > 1:
		return fmt.Errorf("%w: --batchable is %g; it must be from 0 to 1", errUsage, c.Batchable)
	case c.Top < 1:
		return fmt.Errorf("%w: --top is %d; it must be at least 1", errUsage, c.Top)
	case c.Provider != "" && !slices.ContainsFunc(initProviders(), func(p initProvider) bool { return p.name == c.Provider }):
		return fmt.Errorf("%w: there is no provider %q; there are %s", errUsage, c.Provider,
			named(initProviders(), func(p initProvider) string { return p.name }))
	}
	return nil
}

// ways are the rules of the starter file, and the trained model where one is given.
func (c *auditCmd) ways(ctx context.Context) (*classifier.Chain, error) {
	starter, err := catalog.Parse(catalog.Default())
	if err != nil {
		return nil, err
	}
	chain, err := classifier.New(starter.Classifier)
	if err != nil || c.Model == "" {
		return chain, err
	}
	m, _, err := loadModel(ctx, offline(), c.Model)
	if err != nil {
		return nil, err
	}
	chain.Use(classifier.Learned{Model: m})
	return chain, nil
}

// read reads the files one after another, with a bar of their bytes.
func (c *auditCmd) read(ctx context.Context, a *app, collector *audit.Collector) ([]*audit.Reading, error) {
	var all, before int64
	sizes := make([]int64, len(c.Files))
	for i, file := range c.Files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("read usage log: %w", err)
		}
		sizes[i] = info.Size()
		all += info.Size()
	}
	progress := a.newProgress(c.Quiet || c.JSON)
	defer progress.finish()
	const kib = 1 << 10
	var readings []*audit.Reading
	for i, file := range c.Files {
		options := audit.Options{Format: c.Format, Columns: c.Map, Progress: func(read int64) {
			progress.set(int((before+read)/kib), int(all/kib), "KiB read")
		}}
		reading, err := audit.Read(ctx, file, options, collector.Add)
		if err != nil {
			return nil, err
		}
		readings = append(readings, reading)
		before += sizes[i]
	}
	return readings, nil
}

// ladder is the provider whose models are recommended: the one that was asked for, or where most is spent.
func (c *auditCmd) ladder(collector *audit.Collector) initProvider {
	all := initProviders()
	name := c.Provider
	if name == "" {
		name = collector.MostSpentAt(namesInBook(all))
	}
	for _, p := range all {
		if p.name == name || bookName(p) == name {
			return p
		}
	}
	return all[0]
}

func namesInBook(all []initProvider) []string {
	var names []string
	for _, p := range all {
		names = append(names, bookName(p))
	}
	return names
}

// bookName is the price book's name of a provider.
func bookName(p initProvider) string {
	if p.name == catalog.APIGemini {
		return "google"
	}
	return p.name
}

// targets are a provider's models, those with a price today.
func targets(p initProvider, book *pricing.Book) []audit.Target {
	var found []audit.Target
	for _, m := range p.models {
		if _, err := book.Price(pricing.Query{Provider: bookName(p), Model: m.id, At: time.Now()}); err == nil {
			found = append(found, audit.Target{Name: m.name, Provider: bookName(p), ID: m.id, Tier: m.tier})
		}
	}
	return found
}

func (c *auditCmd) write(a *app, report *audit.Report, ladder initProvider) error {
	for _, out := range []struct {
		file  string
		write func(io.Writer) error
	}{
		{c.Markdown, report.WriteMarkdown},
		{c.HTML, report.WriteHTML},
	} {
		if out.file == "" {
			continue
		}
		if err := writeFile(out.file, out.write); err != nil {
			return err
		}
	}
	if c.Config != "" {
		if err := writeNew(c.Config, auditConfig(report, ladder), c.Force); err != nil {
			return err
		}
	}
	if c.JSON {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(report)
	}
	if err := report.WriteText(a.stdout); err != nil {
		return err
	}
	for _, file := range []string{c.Markdown, c.HTML, c.Config} {
		if file == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "\nwrote %s", file); err != nil {
			return err
		}
	}
	if c.Markdown+c.HTML+c.Config != "" {
		_, err := fmt.Fprintln(a.stdout)
		return err
	}
	return nil
}

func writeFile(file string, write func(io.Writer) error) error {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return errors.Join(write(out), out.Close())
}
