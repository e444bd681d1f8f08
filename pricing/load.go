package pricing

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	schemaVersion = "1"
	currency      = "USD"
	maxFileBytes  = 1 << 20
	maxNameChars  = 128
	maxMatchChars = 200
	millionth     = 1_000_000 // a ParseRate counts millionths
)

// Load reads the price book from all *.yaml files at the root of fsys, one provider each. Reading is strict: unknown
// keys, rates that are not exact, rows that overlap and names that fit two models are mistakes, and the error joins
// one sentence for each of them.
func Load(fsys fs.FS) (*Book, error) {
	r := &report{}
	book := &Book{}
	if err := book.readFiles(r, fsys); err != nil {
		return nil, err
	}
	return book.finish(r)
}

// readFiles reads the files of a whole book.
func (b *Book) readFiles(r *report, fsys fs.FS) error {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return fmt.Errorf("list price files: %w", err)
	}
	if len(names) == 0 {
		return errors.New("the price book has no *.yaml file")
	}
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("read price file: %w", err)
		}
		r.file = name
		b.readFile(r, data, false)
	}
	return nil
}

// finish is the book, or its mistakes.
func (b *Book) finish(r *report) (*Book, error) {
	if err := r.err(); err != nil {
		return nil, err
	}
	var err error
	b.hash, err = b.digest()
	return b, err
}

// digest covers everything that the book can tell, but for where it stands.
func (b *Book) digest() (string, error) {
	rows := b.Rows()
	for i := range rows {
		rows[i].Origin = ""
	}
	content, err := json.Marshal(struct {
		Models []Model
		Rows   []Row
	}{b.Models(), rows})
	if err != nil {
		return "", fmt.Errorf("hash price book: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// readFile adds the provider of one file.
func (b *Book) readFile(r *report, data []byte, override bool) {
	top, err := parse(data)
	if err != nil {
		line, text := describe(err)
		r.add(line, "", "%s", text)
		return
	}
	o := readObject(r, "", top)
	defer o.close()
	if n := o.need("schema"); n != nil && n.Value != schemaVersion {
		o.bad(n, "schema", "is %s; this weir reads %s", shown(n), schemaVersion)
	}
	if n := o.need("currency"); n != nil && n.Value != currency {
		o.bad(n, "currency", "is %s; it must be %s", shown(n), currency)
	}
	name := o.needText("provider")
	if _, known := b.search(name); known && !override {
		o.bad(o.values["provider"], "provider", "is %q, which another file has already", name)
	}
	b.readProvider(o, name, override)
}

// readProvider reads what is said of a provider and its models. An override may say less of what is known.
func (b *Book) readProvider(o *object, name string, override bool) {
	i, known := b.search(name)
	if !known {
		b.providers = slices.Insert(b.providers, i, &provider{name: name})
	}
	p := b.providers[i]
	usage := readUsage(o)
	if usage != nil && !known {
		p.usage = *usage
	}
	var read []*model
	o.list("models", true, func(o *object) {
		m := p.readModel(o, usage, override)
		if slices.ContainsFunc(read, func(other *model) bool { return other.id == m.id }) {
			o.r.add(o.line, m.id, "is given twice")
		}
		read = append(read, m)
	})
	for _, m := range read {
		p.put(m)
	}
	p.checkNames(o.r, read)
}

// readUsage reads how a provider counts; nil without the key.
func readUsage(o *object) *Traits {
	usage := o.object("usage")
	if usage == nil {
		return nil
	}
	defer usage.close()
	return &Traits{
		InputIncludesCached:     usage.flag("input_includes_cached"),
		OutputIncludesReasoning: usage.flag("output_includes_reasoning"),
		ImagesAsInput:           usage.flag("images_as_input"),
	}
}

// put adds a model, or replaces the one of its id.
func (p *provider) put(m *model) {
	i, known := slices.BinarySearchFunc(p.models, m, func(a, b *model) int { return cmp.Compare(a.id, b.id) })
	if known {
		p.models[i] = m
		return
	}
	p.models = slices.Insert(p.models, i, m)
}

// parse reads the one YAML document of a file.
func parse(data []byte) (*yaml.Node, error) {
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("the file has %d bytes; at most %d are read", len(data), maxFileBytes)
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read yaml: %w", err)
	}
	var doc, rest yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	} else if err != nil {
		return nil, fmt.Errorf("this is not YAML: %w", err)
	}
	if err := loader.Load(&rest); !errors.Is(err, io.EOF) {
		return nil, errors.New("the file holds more than one YAML document")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, errors.New("the file is empty")
	}
	return doc.Content[0], nil
}

// describe is the line and the words of an error of parse.
func describe(err error) (line int, text string) {
	load := new(yaml.LoadError)
	if !errors.As(err, &load) {
		return 0, err.Error()
	}
	return load.Mark.Line, strings.TrimSpace("this is not YAML: " + load.Message + " " + load.ContextMsg)
}

// readModel reads a model. In an override, one that is known keeps what is not said of it.
func (p *provider) readModel(o *object, usage *Traits, override bool) *model {
	m := &model{id: o.needText("id"), traits: p.usage}
	if m.id != "" {
		o.path = m.id // easier to find than a number
	}
	known := p.model(m.id)
	if override && known != nil {
		copied := *known
		m = &copied
	} else {
		known = nil
	}
	if usage != nil {
		m.traits.InputIncludesCached = usage.InputIncludesCached
		m.traits.OutputIncludesReasoning = usage.OutputIncludesReasoning
		m.traits.ImagesAsInput = usage.ImagesAsInput
	}
	if len(m.id) > maxNameChars {
		o.r.add(o.line, o.at("id"), "is longer than %d characters", maxNameChars)
	}
	m.readMatch(o)
	var own []*row
	o.list("prices", known == nil, func(o *object) { own = append(own, readRow(o, p.name+"/"+m.id)) })
	m.rows = supersede(m.rows, own)
	if m.traits.ImagesAsInput {
		m.priceImagesAsInput()
	}
	m.readTraits(o)
	if r := readRetirement(o); r != nil {
		m.retires = r
	}
	slices.SortStableFunc(m.rows, func(a, b *row) int { return a.from.Compare(b.from) })
	m.checkRows(o)
	return m
}

// readMatch reads the patterns. Like all that is read of a model, they replace the ones that it has.
func (m *model) readMatch(o *object) {
	if _, given := o.values["match"]; given {
		m.patterns, m.match = nil, nil
	}
	for i, n := range o.texts("match") {
		re, err := anchored(n.Value)
		if err != nil {
			o.bad(n, fmt.Sprintf("match[%d]", i), "is %s", err)
			continue
		}
		m.patterns = append(m.patterns, n.Value)
		m.match = append(m.match, re)
	}
}

func (m *model) readTraits(o *object) {
	if limits := o.object("limits"); limits != nil {
		m.traits.Window = limits.tokens("window")
		m.traits.MaxInput = limits.tokens("max_input")
		m.traits.MaxOutput = limits.tokens("max_output")
		m.traits.MinCacheable = limits.tokens("min_cacheable")
		m.traits.MaxRequestBytes = limits.count("max_request_bytes", "bytes")
		limits.close()
	}
	if m.traits.MaxInput == 0 {
		m.traits.MaxInput = m.traits.Window
	}
	if caps := o.object("caps"); caps != nil {
		m.readCaps(caps)
	}
	m.readTokenizer(o)
}

func (m *model) readCaps(caps *object) {
	m.traits.JSONSchema = caps.flag("json_schema")
	m.traits.Images, m.traits.PDFs = caps.flag("image"), caps.flag("pdf")
	m.traits.Refused = nil
	for i, n := range caps.texts("refuses") {
		if !slices.Contains(settings(), n.Value) {
			caps.bad(n, fmt.Sprintf("refuses[%d]", i), "is %s; it must be one of %s", shown(n),
				strings.Join(settings(), ", "))
			continue
		}
		m.traits.Refused = append(m.traits.Refused, n.Value)
	}
	slices.Sort(m.traits.Refused)
	caps.close()
}

func (m *model) readTokenizer(o *object) {
	tokenizer := o.object("tokenizer")
	if tokenizer == nil && (m.byCharacter() || m.traits.TokenFactor > 0) {
		return
	}
	if tokenizer == nil {
		o.r.add(o.line, o.at("tokenizer"), "is missing")
		return
	}
	if n := tokenizer.need("o200k_factor"); n != nil {
		factor, err := textAs(n, ParseRate)
		if err != nil || factor == 0 || factor > 10*millionth {
			tokenizer.bad(n, "o200k_factor", "is %s; write a decimal in quotes from \"0.000001\" to \"10\"", shown(n))
		}
		m.traits.TokenFactor = float64(factor) / millionth
	}
	tokenizer.close()
}

// anchored compiles a pattern that names must match whole. Repetition without end is refused: it makes a prefix match,
// and a model that is not known yet would get the price of another.
func anchored(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxMatchChars {
		return nil, fmt.Errorf("longer than %d characters", maxMatchChars)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("no regular expression: %w", err)
	}
	if endless(tree) {
		return nil, errors.New("a pattern with * or +; name the exact number of characters, such as [0-9]{8}")
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("no regular expression: %w", err)
	}
	if re.MatchString("") {
		return nil, errors.New("a pattern that matches the empty name")
	}
	return re, nil
}

func endless(tree *syntax.Regexp) bool {
	if tree.Op == syntax.OpStar || tree.Op == syntax.OpPlus || (tree.Op == syntax.OpRepeat && tree.Max < 0) {
		return true
	}
	return slices.ContainsFunc(tree.Sub, endless)
}

// checkNames notes an id that is another model's name as well, where one of the two has just been read.
func (p *provider) checkNames(r *report, read []*model) {
	for _, m := range p.models {
		for _, other := range p.models {
			isNew := slices.Contains(read, m) || slices.Contains(read, other)
			if isNew && other.id != m.id && other.matches(m.id) {
				r.add(0, m.id, "is also matched by a pattern of %s", other.id)
			}
		}
	}
}
