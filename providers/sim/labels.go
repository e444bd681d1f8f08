package sim

import "strings"

// labelsIn are the labels that a system prompt lists: its lines that begin with a dash, up to a colon; or, where there
// are none, what follows "one of these words:", with commas between.
func labelsIn(system string) []string {
	var labels []string
	for line := range strings.Lines(system) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "- ")
		if !ok {
			continue
		}
		label, _, _ := strings.Cut(rest, ": ")
		if label = strings.TrimSpace(label); label != "" {
			labels = append(labels, label)
		}
	}
	if len(labels) > 1 {
		return labels
	}
	return enumerated(system)
}

func enumerated(system string) []string {
	at := strings.Index(strings.ToLower(system), "one of these")
	if at < 0 {
		return nil
	}
	_, list, ok := strings.Cut(system[at:], ":")
	if !ok {
		return nil
	}
	list, _, _ = strings.Cut(list, ".")
	var labels []string
	for label := range strings.SplitSeq(list, ",") {
		if label = strings.TrimSpace(label); label != "" {
			labels = append(labels, label)
		}
	}
	return labels
}
