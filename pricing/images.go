package pricing

// priceImagesAsInput gives image tokens the rate of the input wherever the book names no other: that is how providers bill
// whose usage counts images by themselves although they cost the same.
func (m *model) priceImagesAsInput() {
	for _, r := range m.rows {
		r.list.priceImagesAsInput()
		for _, mode := range r.modes {
			if mode.own != nil {
				mode.own.priceImagesAsInput()
			}
		}
		for i := range r.windows {
			r.windows[i].list.priceImagesAsInput()
		}
	}
}

func (t *table) priceImagesAsInput() {
	for i := range t.bands {
		if rates := &t.bands[i].rates; !rates[kindInputImage].known {
			rates[kindInputImage] = rates[kindInput]
		}
	}
}
