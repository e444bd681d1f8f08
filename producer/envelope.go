package producer

import (
	"bytes"

	"github.com/weirhq/weir/task"
)

const (
	envelopeOpen  = `{"tasks":[`
	envelopeClose = `]}`
)

// asTheyAre sends each message by itself.
func asTheyAre(messages []message) []message { return messages }

// envelopes packs the messages of each subject into as few as fit. A message alone stays as it is.
func (p *Producer) envelopes(messages []message) []message {
	var packed []message
	open := map[string][]message{}
	size := map[string]int{}
	for _, m := range messages {
		if size[m.subject]+len(m.body) > p.room()-len(envelopeOpen+envelopeClose) {
			packed = append(packed, p.envelope(open[m.subject]))
			open[m.subject], size[m.subject] = nil, 0
		}
		open[m.subject] = append(open[m.subject], m)
		size[m.subject] += len(m.body) + len(",")
	}
	for _, m := range messages { // in the order of the sequence
		if members := open[m.subject]; len(members) > 0 {
			packed = append(packed, p.envelope(members))
			delete(open, m.subject)
		}
	}
	return packed
}

func (p *Producer) envelope(members []message) message {
	if len(members) == 1 {
		return members[0]
	}
	bodies := make([][]byte, len(members))
	for i, m := range members {
		bodies[i] = m.body
	}
	body := append([]byte(envelopeOpen), bytes.Join(bodies, []byte(","))...)
	body = append(body, envelopeClose...)
	return message{subject: members[0].subject, id: task.MsgID(p.config.Tenant, "envelope", body), body: body}
}
