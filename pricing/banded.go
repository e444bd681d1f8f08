package pricing

// Banded reports whether any price of a model, of any time, depends on the prompt's size.
func (b *Book) Banded(provider, model string) bool {
	m, err := b.find(provider, model)
	if err != nil {
		return false
	}
	for _, r := range m.rows {
		tables := []table{r.list}
		for _, mode := range r.modes {
			if mode.own != nil {
				tables = append(tables, *mode.own)
			}
		}
		for _, w := range r.windows {
			tables = append(tables, w.list)
		}
		for _, t := range tables {
			if len(t.bands) > 1 {
				return true
			}
		}
	}
	return false
}
