package pricing

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Override is prices of one's own, which lie over those that come with weir: a price file, or a provider's section of
// weir.yaml.
type Override struct {
	// Name is where the prices stand, as mistakes and Row.Origin name it.
	Name string
	// File is a whole price file; nil for a section.
	File []byte
	// Provider is the price book's provider of a section.
	Provider string
	// Section is what a price file holds, without schema, currency and provider.
	Section *yaml.Node
}

// originEmbedded is the origin of what comes with weir.
const originEmbedded = "embedded"

// ReadOverrides reads all *.yaml files at the root of fsys in the order of their names. A file that looks like prices and
// would not be read is an error, and so is the lack of any: an empty directory is more likely a wrong one than meant.
func ReadOverrides(fsys fs.FS, dir string) ([]Override, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no directory %s with prices", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("list the prices in %s: %w", dir, err)
	}
	var out []Override
	var errs []error
	for _, e := range entries {
		switch name := e.Name(); path.Ext(name) {
		case ".yml":
			errs = append(errs, fmt.Errorf("%s is not read as prices; name it %s", path.Join(dir, name),
				strings.TrimSuffix(name, ".yml")+".yaml"))
		case ".yaml":
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				errs = append(errs, fmt.Errorf("read prices: %w", err))
			}
			out = append(out, Override{Name: path.Join(dir, name), File: data})
		}
	}
	if len(out) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("the directory %s has no *.yaml file with prices", dir))
	}
	return out, errors.Join(errs...)
}

// Compose is the book that comes with weir with overrides over it, each over what is before it.
//
// A model that is known already keeps what an override does not say of it: match, limits, tokenizer, caps and retires are
// replaced as a whole where they are given. Its prices are replaced from the beginning of the override's first price in
// force on: rows that begin then or later are out, and one that began earlier ends then. A model that is not known needs
// all that it needs in a file of the book. Mistakes are reported as by Load, those of all overrides at once.
func Compose(overrides ...Override) (*Book, error) {
	files, err := fs.Sub(bookFiles, "book")
	if err != nil {
		return nil, fmt.Errorf("open the embedded price book: %w", err)
	}
	r := &report{origin: originEmbedded}
	book := &Book{}
	if err := book.readFiles(r, files); err != nil {
		return nil, err
	}
	for _, over := range overrides {
		r.file, r.origin = over.Name, over.Name
		book.override(r, over)
	}
	return book.finish(r)
}

func (b *Book) override(r *report, over Override) {
	if over.Section == nil {
		b.readFile(r, over.File, true)
		return
	}
	o := readObject(r, "price_book."+over.Provider, over.Section)
	b.readProvider(o, over.Provider, true)
	o.close()
}

// supersede puts rows of an override in the place of those that a model has.
func supersede(rows, own []*row) []*row {
	var cut *row // the first of the override's rows in force
	for _, r := range own {
		if r.status == InForce && (cut == nil || r.from.Before(cut.from)) {
			cut = r
		}
	}
	out := slices.Clone(own)
	for _, r := range rows {
		switch {
		case len(own) == 0:
			out = append(out, r)
		case cut == nil: // announced prices replace announced ones
			if r.status == InForce {
				out = append(out, r)
			}
		case r.from.Before(cut.from):
			if r.until.IsZero() || r.until.After(cut.from) {
				ended := *r
				ended.until = cut.from
				r = &ended
			}
			out = append(out, r)
		}
	}
	return out
}
