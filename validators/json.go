package validators

import "fmt"

// jsonParams are the parameters of json.
type jsonParams struct {
	// Root is object, array or any (the default).
	Root string `json:"root"`
}

// jsonText accepts one well-formed JSON value without duplicate keys and with nothing after it.
type jsonText struct{ want string }

func newJSON(p jsonParams) (check, error) {
	if p.Root == "" {
		p.Root = "any"
	}
	return jsonText{want: p.Root}, checkWord("root", p.Root, "any", "object", "array")
}

func (j jsonText) judge(s *subject) (string, error) {
	doc, reason := s.document()
	if reason != "" {
		return reason, nil
	}
	_, isObject := doc.(map[string]any)
	_, isArray := doc.([]any)
	if (j.want == "object" && !isObject) || (j.want == "array" && !isArray) {
		return fmt.Sprintf("the answer is %s, not an %s", kindOf(doc), j.want), nil
	}
	return "", nil
}
