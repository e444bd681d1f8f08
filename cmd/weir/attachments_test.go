package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// filesYAML has one feature for each format, whose first model reads no files.
const filesYAML = `
attachments: {hosts: ["HOST"], allow_private: true}
providers:
  claude: {api: anthropic, base_url: "%[1]s", allow_private: true}
  gpt: {api: openai-responses, base_url: "%[1]s", allow_private: true}
  chat: {api: openai, base_url: "%[1]s/v1", prices: openai, allow_private: true}
  gem: {api: gemini, base_url: "%[1]s", allow_private: true}
models:
  blind: {provider: claude, id: claude-haiku-4-5, tier: mini, input: [text]}
  haiku: {provider: claude, id: claude-haiku-5-5, tier: mini}
  luna: {provider: gpt, id: gpt-6-luna, tier: mini}
  chat: {provider: chat, id: gpt-6-luna, tier: mini}
  lite: {provider: gem, id: gemini-3.5-flash-lite, tier: mini}
features:
  claude: {class: L1, system: Extract the invoice as JSON., output_schema: SCHEMA, cascade: [blind, haiku]}
  gpt: {class: L1, system: Extract the invoice as JSON., output_schema: SCHEMA, cascade: [blind, luna]}
  chat: {class: L1, system: Extract the invoice as JSON., output_schema: SCHEMA, cascade: [blind, chat]}
  gem: {class: L1, system: Extract the invoice as JSON., output_schema: SCHEMA, cascade: [blind, lite]}
`

// invoiceSchema is of the answers of all of them.
const invoiceSchema = `{type: object, additionalProperties: false, required: [vendor, total],
    properties: {vendor: {type: string, minLength: 1}, total: {type: number}}}`

// scan is a picture of so many pixels.
func scan(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))))
	return out.Bytes()
}

// document is a PDF of one page with a text.
func document(text string) []byte {
	page := "BT (" + text + ") Tj ET"
	return fmt.Appendf(nil, "%%PDF-1.7\n2 0 obj\n<</Type /Pages /Kids [3 0 R] /Count 1>>\nendobj\n"+
		"4 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\ntrailer <</Root 1 0 R>>", len(page), page)
}

// TestAttachments takes invoices as pictures and PDFs, out of the object store and from a host, the whole way to data.
func TestAttachments(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/scans/") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(scan(t, 800, 600))
	}))
	t.Cleanup(web.Close)
	certificate := filepath.Join(t.TempDir(), "host.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	require.NoError(t, os.WriteFile(certificate, block, 0o600))

	good := sim.Mini()
	good.Skill, good.Truncate, good.Refuse, good.Malformed = 10_000, 0, 0, 0
	dsn := pgtest.DSN(t)
	yaml := strings.NewReplacer("HOST", strings.TrimPrefix(web.URL, "https://"), "SCHEMA", invoiceSchema).Replace(filesYAML)
	b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml,
		sim.Config{Seed: 5, Instant: true, Models: map[string]sim.ModelProfile{
			"claude-haiku-5-5": good, "gpt-6-luna": good, "gemini-3.5-flash-lite": good, "claude-haiku-4-5": good,
		}})
	b.env = []string{"SSL_CERT_FILE=" + certificate}
	weir := b.start(t, "")
	p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
	require.NoError(t, err)
	var tasks []task.Task
	for _, feature := range []string{"claude", "gpt", "chat", "gem"} {
		var stored task.Attachment
		require.Eventually(t, func() bool { // the bucket is made when the process has started
			stored, err = p.Attach(t.Context(), document("ACME Ltd, invoice 4711, total 120.50 EUR"))
			return err == nil
		}, 30*time.Second, 20*time.Millisecond)
		tasks = append(tasks,
			task.Task{ID: feature + "-pdf", Feature: feature, Attachments: []task.Attachment{stored}},
			task.Task{ID: feature + "-png", Feature: feature, Input: "A scan.", Attachments: []task.Attachment{
				{URL: web.URL + "/scans/1.png?sig=SECRET", MediaType: task.MediaPNG},
			}},
			task.Task{ID: feature + "-gone", Feature: feature, Input: "A scan.", Attachments: []task.Attachment{
				{URL: web.URL + "/gone.png?sig=SECRET", MediaType: task.MediaPNG},
			}})
	}
	tasks = append(tasks, task.Task{ID: "elsewhere", Feature: "gpt", Attachments: []task.Attachment{
		{URL: "https://files.example.org/1.png", MediaType: task.MediaPNG},
	}})
	_, err = p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.answered() == len(tasks) }, time.Minute, 20*time.Millisecond)
	weir.stop(t)

	b.checkBills(t)
	ledgertest.Check(t, b.pool)
	require.Equal(t, 8, b.count(t, `
		SELECT count(*) FROM weir.tasks t JOIN weir.attempts a ON a.task_id = t.id JOIN weir.outputs o ON o.attempt_id = a.id
		WHERE t.state = 'succeeded' AND t.model <> 'blind' AND a.verdict = 'accepted' AND a.cost_pusd <= a.bound_pusd
		  AND convert_from(o.output, 'UTF8')::jsonb ? 'total'`), "each in one attempt, within its bound")
	require.Equal(t, 8, b.count(t, `
		SELECT count(*) FROM weir.tasks t JOIN weir.plans p ON p.id = t.plan_id
		WHERE t.state = 'succeeded' AND p.excluded -> 0 ->> 'model' = 'blind'
		  AND p.excluded -> 0 ->> 'reason' = CASE WHEN t.key LIKE '%-pdf' THEN 'does not read application/pdf' ELSE 'does not read image/png' END`))
	require.Equal(t, 4, b.count(t, `
		SELECT count(*) FROM weir.tasks WHERE key LIKE '%-gone' AND state = 'failed' AND cost_pusd = 0
		  AND reason LIKE 'attachments[0] (host 127.0.0.1:%): the host answered HTTP 404' AND reason NOT LIKE '%SECRET%'`))
	require.Positive(t, b.count(t, `SELECT sum(input_image_tokens)::bigint FROM weir.attempts`))
}
