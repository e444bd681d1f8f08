package providers

// RateLimits is what a provider says of its limits with an answer. Zero fields were not said.
type RateLimits struct {
	Requests     RateLimit
	InputTokens  RateLimit
	OutputTokens RateLimit
	// Tokens is of providers that count input and output together.
	Tokens RateLimit
}

// RateLimit is one of them.
type RateLimit struct {
	// PerMinute is the limit; 0 when it was not said, or is not one by the minute.
	PerMinute int64
	// Remaining is what is left of it where Known.
	Remaining int64
	Known     bool
}
