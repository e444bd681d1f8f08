package cascade_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/task"
)

func call(name, arguments string) task.ToolCall {
	return task.ToolCall{Name: name, Arguments: arguments}
}

func TestCanonicalCalls(t *testing.T) {
	t.Parallel()
	form := func(calls ...task.ToolCall) string { return cascade.CanonicalCalls(calls) }
	base := form(call("a.b", `{"x":5,"y":["New York, NY",true,null],"z":{"k":0.10}}`))
	require.NotEmpty(t, base)
	for name, same := range map[string]string{
		"OrderOfArguments": form(call("a.b", `{"z":{"k":0.1},"y":["New York, NY",true,null],"x":5}`)),
		"Numbers":          form(call("a.b", `{"x":5.0,"y":["New York, NY",true,null],"z":{"k":1e-1}}`)),
		"CaseAndSpaces":    form(call("a.b", `{"x":5,"y":["new york NY",true,null],"z":{"k":0.10}}`)),
		"DotsInNames":      form(call("a_b", `{"x":5,"y":["New York, NY",true,null],"z":{"k":0.10}}`)),
	} {
		require.Equal(t, base, same, name)
	}
	for name, other := range map[string]string{
		"OrderInLists": form(call("a.b", `{"x":5,"y":[true,"New York, NY",null],"z":{"k":0.10}}`)),
		"TextOrNumber": form(call("a.b", `{"x":"5","y":["New York, NY",true,null],"z":{"k":0.10}}`)),
		"Sign":         form(call("a.b", `{"x":-5,"y":["New York, NY",true,null],"z":{"k":0.10}}`)),
		"Missing":      form(call("a.b", `{"x":5,"y":["New York, NY",true,null]}`)),
		"Twice":        form(call("a.b", `{"x":5}`), call("a.b", `{"x":5}`)),
	} {
		require.NotEqual(t, base, other, name)
	}
	require.Equal(t, form(call("f", `{}`), call("g", `{}`)), form(call("g", ""), call("f", "")), "calls are side by side")
	require.Empty(t, form())
	require.Empty(t, form(call("f", "{")))
	require.NotEqual(t, form(call("f", `{"x":1e400}`)), form(call("f", `{"x":1e401}`)))
	require.NotEmpty(t, form(call("f", `{"x":1e999999999}`)), "a number too wide to compute with is compared as it is written")
}

func TestCanonicalChoice(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"B": "B", " (b). ": "B", "B)\n": "B", "": "", "A chart": "", "E": "", "AB": "", "**C**": "C",
	} {
		require.Equal(t, want, cascade.CanonicalChoice(answer, "ABCD"), answer)
	}
}

func TestCanonicalNumber(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"28": "28", " 28.0 ": "28", "$1,234.50": "2469/2", "so \\boxed{1} or \\boxed{ 42 }": "42", "It is.\n#### 1,000": "1000",
		"-3": "-3", "28 apples": "", "1,23": "", "": "", "50%": "50", "0.5": "1/2",
	} {
		require.Equal(t, want, cascade.CanonicalNumber(answer), answer)
	}
}

func TestCanonicalLabel(t *testing.T) {
	t.Parallel()
	require.Equal(t, cascade.CanonicalLabel("card_arrival"), cascade.CanonicalLabel(" Card arrival."))
	require.NotEqual(t, cascade.CanonicalLabel("a-1"), cascade.CanonicalLabel("a+1"))
	require.Empty(t, cascade.CanonicalLabel("a text of more than eighty bytes is no label that two models would give in the same words"))
}
