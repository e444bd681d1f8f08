package validators

// noRefusalStop rejects answers that the provider marked as refused.
func noRefusalStop(s *subject) (string, error) {
	if s.answer.Refused {
		return "the model or a content filter refused", nil
	}
	return "", nil
}
