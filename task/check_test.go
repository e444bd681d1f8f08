package task_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func good() task.Task { return task.Task{ID: "a", Feature: "triage", Input: "x"} }

func TestTask_Check_Accepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*task.Task)
	}{
		{"Minimal", func(*task.Task) {}},
		{"IDAtTheLimit", func(t *task.Task) { t.ID = strings.Repeat("é", task.MaxIDChars) }},
		{"IDWithSpacesAndColons", func(t *task.Task) { t.ID = "order 7: line 3" }},
		{"MessagesAlone", func(t *task.Task) {
			t.Input, t.Messages = "", []task.Message{{"user", "a"}, {"assistant", "b"}, {"user", "c"}}
		}},
		{"InputAfterAssistant", func(t *task.Task) {
			t.Messages = []task.Message{{"user", "a"}, {"assistant", "b"}}
		}},
		{"Tool", func(t *task.Task) {
			t.Tools = []task.Tool{{Name: strings.Repeat("f", 64), Parameters: json.RawMessage(` {"type":"object"}`)}}
		}},
		{"Ranges", func(t *task.Task) {
			t.Class, t.Lane, t.Priority, t.MaxOutputTokens, t.MaxCostUSD = task.L3, task.LaneNow, 4, 1, new(task.Pico(1))
		}},
		{"PastDeadline", func(t *task.Task) { t.Deadline = new(time.Unix(0, 0)) }},
		{"Metadata", func(t *task.Task) { t.Metadata = entries(64, 1_024) }},
		{"AttachmentsAlone", func(t *task.Task) {
			t.Input = ""
			t.Attachments = attached(task.MaxAttachments, task.Attachment{URL: "object:weir-attachments/a/b.pdf", MediaType: task.MediaPDF})
		}},
		{"AttachmentByHTTPS", attach("https://files.example.com:8443/a%20b/?sig=1&x=é", task.MediaPNG, strings.Repeat("0", 64))},
		{"Traceparent", func(t *task.Task) { t.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			subject := good()
			tt.change(&subject)
			require.NoError(t, subject.Check())
		})
	}
}

func TestTask_Check_Refuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*task.Task)
		code   task.Code
		reason string
	}{
		{"NoID", func(t *task.Task) { t.ID = "" }, task.CodeMissingField, "id is missing"},
		{"LongID", func(t *task.Task) { t.ID = strings.Repeat("x", 201) }, task.CodeInvalidValue, "id is too long"},
		{"ControlInID", func(t *task.Task) { t.ID = "a\nb" }, task.CodeInvalidValue, "id holds a control character"},
		{"IDNotText", func(t *task.Task) { t.ID = "\xff" }, task.CodeInvalidValue, "id is not valid UTF-8"},
		{"NoFeature", func(t *task.Task) { t.Feature = "" }, task.CodeMissingField, "feature is missing"},
		{"BadFeature", func(t *task.Task) { t.Feature = "a.b" }, task.CodeInvalidValue, "feature must be 1 to 64 letters"},
		{"BadTenant", func(t *task.Task) { t.Tenant = "a b" }, task.CodeInvalidValue, "tenant must be 1 to 64 letters"},
		{"NoPrompt", func(t *task.Task) { t.Input = "" }, task.CodeMissingField, "a task needs input, messages or attachments"},
		{"BlankInput", func(t *task.Task) { t.Input = " \n" }, task.CodeInvalidValue, "input is blank"},
		{"InputNotText", func(t *task.Task) { t.Input = "\xff" }, task.CodeInvalidText, "input is not valid UTF-8"},
		{"InputWithNUL", func(t *task.Task) { t.Input = "a\x00" }, task.CodeInvalidText, "input holds a NUL character"},
		{"BlankContext", func(t *task.Task) { t.Context = []string{"a", ""} }, task.CodeInvalidValue, "context[1] is blank"},
		{"ManyBlocks", func(t *task.Task) { t.Context = make([]string, 65) }, task.CodeInvalidValue, "context has more than 64 blocks"},
		{"Role", func(t *task.Task) { t.Messages = []task.Message{{"system", "a"}} }, task.CodeInvalidValue, "messages[0].role must be user or assistant"},
		{"BlankTurn", func(t *task.Task) { t.Messages = []task.Message{{"user", ""}} }, task.CodeInvalidValue, "messages[0].content is blank"},
		{"AssistantFirst", func(t *task.Task) { t.Messages = []task.Message{{"assistant", "a"}} }, task.CodeInvalidValue, "messages must begin with a user's turn"},
		{"AssistantLast", func(t *task.Task) {
			t.Input, t.Messages = "", []task.Message{{"user", "a"}, {"assistant", "b"}}
		}, task.CodeInvalidValue, "messages must end with a user's turn, or input must follow them"},
		{"ManyTurns", func(t *task.Task) { t.Messages = make([]task.Message, 1_001) }, task.CodeInvalidValue, "messages has more than 1000 turns"},
		{"ToolName", func(t *task.Task) { t.Tools = []task.Tool{{Name: "a b"}} }, task.CodeInvalidValue, "tools[0].name must be 1 to 64 letters"},
		{"NoToolName", func(t *task.Task) { t.Tools = []task.Tool{{}} }, task.CodeMissingField, "tools[0].name must be"},
		{"ToolParameters", func(t *task.Task) {
			t.Tools = []task.Tool{{Name: "a", Parameters: json.RawMessage(`[]`)}}
		}, task.CodeInvalidValue, "tools[0].parameters must be a JSON object"},
		{"ToolParametersBroken", func(t *task.Task) {
			t.Tools = []task.Tool{{Name: "a", Parameters: json.RawMessage(`{"a"}`)}}
		}, task.CodeInvalidJSON, "tools[0].parameters is not valid JSON"},
		{"ManyTools", func(t *task.Task) { t.Tools = make([]task.Tool, 129) }, task.CodeInvalidValue, "tools has more than 128 entries"},
		{"EmptyAttachment", func(t *task.Task) { t.Attachments = make([]task.Attachment, 1) }, task.CodeMissingField, "attachments[0].url must be"},
		{"ManyAttachments", func(t *task.Task) { t.Attachments = attached(33, task.Attachment{}) }, task.CodeInvalidValue, "attachments has more than 32 entries"},
		{"AttachmentScheme", attach("http://a.example/b.pdf", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentFile", attach("file:///etc/passwd", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentUser", attach("https://me:secret@a.example/b", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentFragment", attach("https://a.example/b#c", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentBackslash", attach(`https://a.example\@b.example/`, task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentPort", attach("https://a.example:port/b", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentBucket", attach("object:a.b/c", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"AttachmentName", attach("object:a/", task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url must be"},
		{"LongAttachment", attach("object:a/"+strings.Repeat("x", 2_048), task.MediaPDF, ""), task.CodeInvalidValue, "attachments[0].url is longer than 2048"},
		{"AttachmentType", attach("object:a/b", "image/svg+xml", ""), task.CodeInvalidValue, "attachments[0].media_type must be one of image/png,"},
		{"AttachmentDigest", attach("object:a/b", task.MediaPDF, strings.Repeat("A", 64)), task.CodeInvalidValue, "attachments[0].sha256 must be 64"},
		{"Class", func(t *task.Task) { t.Class = "L4" }, task.CodeInvalidValue, "class must be L1, L2 or L3"},
		{"Lane", func(t *task.Task) { t.Lane = "fast" }, task.CodeInvalidValue, "lane must be now, batch or auto"},
		{"Priority", func(t *task.Task) { t.Priority = 5 }, task.CodeInvalidValue, "priority must be from 1 (first) to 4"},
		{"NegativePriority", func(t *task.Task) { t.Priority = -1 }, task.CodeInvalidValue, "priority must be"},
		{"NegativeTokens", func(t *task.Task) { t.MaxOutputTokens = -1 }, task.CodeInvalidValue, "max_output_tokens must be from 1"},
		{"ManyTokens", func(t *task.Task) { t.MaxOutputTokens = 10_000_001 }, task.CodeInvalidValue, "max_output_tokens must be from 1"},
		{"NoCost", func(t *task.Task) { t.MaxCostUSD = new(task.Pico(0)) }, task.CodeInvalidValue, "max_cost_usd must be above 0"},
		{"ZeroDeadline", func(t *task.Task) { t.Deadline = &time.Time{} }, task.CodeInvalidValue, "deadline is the zero time"},
		{"LongBatch", func(t *task.Task) { t.Batch = strings.Repeat("x", 201) }, task.CodeInvalidValue, "batch is longer than 200 characters"},
		{"ControlInCallPath", func(t *task.Task) { t.CallPath = "a\tb" }, task.CodeInvalidValue, "call_path holds a control character"},
		{"MuchMetadata", func(t *task.Task) { t.Metadata = entries(65, 1) }, task.CodeInvalidValue, "metadata has more than 64 entries"},
		{"LongMetadata", func(t *task.Task) { t.Metadata = entries(1, 1_025) }, task.CodeInvalidValue, "metadata.k0 is longer than 1024 characters"},
		{"EmptyKey", func(t *task.Task) { t.Metadata = map[string]string{"": "v"} }, task.CodeInvalidValue, "a key has 1 to 64 characters"},
		{"LongKey", func(t *task.Task) { t.Metadata = map[string]string{strings.Repeat("k", 65): "v"} }, task.CodeInvalidValue, "a key has 1 to 64"},
		{"TraceparentForm", func(t *task.Task) { t.Traceparent = "00-abc-01" }, task.CodeInvalidValue, "traceparent is not"},
		{"TraceparentUpperCase", func(t *task.Task) { t.Traceparent = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01" }, task.CodeInvalidValue, "traceparent is not"},
		{"TraceparentVersion", func(t *task.Task) { t.Traceparent = "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" }, task.CodeInvalidValue, "traceparent is not"},
		{"TraceparentZeroTrace", func(t *task.Task) { t.Traceparent = "00-00000000000000000000000000000000-00f067aa0ba902b7-01" }, task.CodeInvalidValue, "traceparent is not"},
		{"TraceparentZeroParent", func(t *task.Task) { t.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01" }, task.CodeInvalidValue, "traceparent is not"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			subject := good()
			tt.change(&subject)

			refused, ok := task.IsRefused(subject.Check())

			require.True(t, ok)
			require.ErrorContains(t, refused, tt.reason)
			require.Equal(t, tt.code, refused.Code)
		})
	}
}

func TestTask_Check_TellsEveryMistake(t *testing.T) {
	t.Parallel()
	subject := task.Task{Class: "x", Lane: "x", Priority: 9}

	refused, ok := task.IsRefused(subject.Check())

	require.True(t, ok)
	require.Len(t, refused.Reasons, 6)
	require.ErrorContains(t, refused, "; ")
}

func TestOutcome_Check(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0199a1b2-0000-7000-8000-000000000001")
	require.NoError(t, (&task.Outcome{TaskID: &id}).Check())
	require.NoError(t, (&task.Outcome{ID: "a"}).Check())
	require.ErrorContains(t, (&task.Outcome{}).Check(), "task_id or id is missing")
	require.ErrorContains(t, (&task.Outcome{ID: "a\x00"}).Check(), "id holds a control character")
	require.ErrorContains(t, (&task.Outcome{ID: "a", Reason: "\x00"}).Check(), "reason holds a NUL character")
	require.ErrorContains(t, (&task.Outcome{ID: "a", At: &time.Time{}}).Check(), "at is the zero time")
}

// entries is metadata of n keys whose values have the given length.
func entries(n, chars int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("k%d", i)] = strings.Repeat("v", chars)
	}
	return m
}

func attached(n int, a task.Attachment) []task.Attachment {
	list := make([]task.Attachment, n)
	for i := range list {
		list[i] = a
	}
	return list
}

func attach(url, mediaType, sha256 string) func(*task.Task) {
	return func(t *task.Task) {
		t.Attachments = []task.Attachment{{URL: url, MediaType: mediaType, SHA256: sha256}}
	}
}

func TestAttachment_Where(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url, bucket, name, host string
	}{
		{url: task.ObjectURL("b", "dir/a.pdf"), bucket: "b", name: "dir/a.pdf"},
		{url: "https://Files.Example.com/a", host: "files.example.com"},
		{url: "https://files.example.com:443/a", host: "files.example.com"},
		{url: "https://files.example.com:8443/a", host: "files.example.com:8443"},
		{url: "http://files.example.com/a"},
	}
	for _, tt := range tests {
		a := task.Attachment{URL: tt.url}
		bucket, name, ok := a.Object()
		require.Equal(t, tt.bucket != "", ok, tt.url)
		require.Equal(t, tt.bucket, bucket)
		require.Equal(t, tt.name, name)
		require.Equal(t, tt.host, a.Host())
	}
}
