package validators

// notTruncated rejects answers that stopped at the output limit.
func notTruncated(s *subject) (string, error) {
	if s.answer.Truncated {
		return "the answer stopped at the output limit", nil
	}
	return "", nil
}
