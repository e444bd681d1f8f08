package validators

// What one validation may take. Each limit closes a way in which a text of a few bytes costs seconds or gigabytes; a
// feature's configuration beyond one does not compile, an answer beyond one is rejected with the reason.
const (
	// MaxJSONBytes is the longest text that is parsed as JSON.
	MaxJSONBytes = 4 << 20
	// MaxDepth is the deepest nesting of an answer's JSON: validating costs more than linear time in depth.
	MaxDepth = 128
	// MaxNumberChars is the longest number literal in JSON.
	MaxNumberChars = 64
	// MaxExponent is the largest exponent of a number literal, in either direction: 1e10000000 as an exact number takes
	// megabytes.
	MaxExponent = 400

	// MaxSchemaBytes is the longest JSON Schema.
	MaxSchemaBytes = 64 << 10
	// MaxSchemaDepth is the deepest nesting of a JSON Schema's own text.
	MaxSchemaDepth = 32
	// MaxSubschemas is the most subschemas. Every object and boolean of the text counts, because a reference may point at
	// any of them.
	MaxSubschemas = 2_000
	// MaxExpansion is how often the subschemas of one schema may be reached from its root, every way through $ref, allOf
	// and the like counted: 22 lines that each name the next one twice make four million.
	MaxExpansion = 100_000
	// MaxSchemaWork is the most evaluations of subschemas on parts of one answer, over all its schemas: at most
	// about half a second.
	MaxSchemaWork = 300_000

	// MaxPatternChars is the longest regular expression.
	MaxPatternChars = 1_000
	// MaxProgram is the most instructions that a regular expression compiles to: (a?){1000} has two thousand in ten
	// characters.
	MaxProgram = 5_000
	// MaxMatchWork is the most instructions times bytes of text of one match. RE2 is linear in each, not in both.
	MaxMatchWork = 50_000_000

	// MaxValues is the most entries of a list in a validator's parameters.
	MaxValues = 10_000
	// MaxValueChars is the longest entry of such a list.
	MaxValueChars = 1_000
	// MaxItems is the most items that number adds up and that grounded looks for.
	MaxItems = 10_000
	// MaxGroundedChars is the longest text that grounded looks for.
	MaxGroundedChars = 10_000
	// MaxSearchBytes is how much of the task's text grounded reads for one answer, all its searches together.
	MaxSearchBytes = 1 << 30
	// MaxToolSchemas is the most compiled tool schemas that one tool_calls validator keeps.
	MaxToolSchemas = 256
	// MaxToolCalls is the most function calls of one answer.
	MaxToolCalls = 128
)
