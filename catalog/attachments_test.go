package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestAttachments_Check(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `attachments:
  hosts: [files.example.com, "*.cdn.example.com", "docs.example.com:8443"]
  buckets: [invoices]
  max_count: 2
`)
	tests := []struct {
		name string
		urls []string
		want string
	}{
		{"None", nil, ""},
		{"Host", []string{"https://files.example.com/a.pdf", "https://FILES.example.com:443/a.pdf"}, ""},
		{"BelowAHost", []string{"https://a.b.cdn.example.com/a.pdf"}, ""},
		{"Port", []string{"https://docs.example.com:8443/a.pdf"}, ""},
		{"Bucket", []string{"object:invoices/a.pdf"}, ""},
		{"OtherHost", []string{"https://example.com/a.pdf"}, `attachments[0]: the host "example.com" is not in attachments.hosts`},
		{"TheWildcardItself", []string{"https://cdn.example.com/a.pdf"}, `the host "cdn.example.com" is not`},
		{"LooksAlike", []string{"https://evilcdn.example.com/a.pdf"}, "is not in attachments.hosts"},
		{"HostInThePath", []string{"https://evil.example/files.example.com"}, "is not in attachments.hosts"},
		{"OtherPort", []string{"https://files.example.com:22/a.pdf"}, `the host "files.example.com:22" is not`},
		{"NoPort", []string{"https://docs.example.com/a.pdf"}, "is not in attachments.hosts"},
		{"DotAtTheEnd", []string{"https://files.example.com./a.pdf"}, "is not in attachments.hosts"},
		{"OtherBucket", []string{"object:invoices/a.pdf", "object:payslips/a.pdf"}, `attachments[1]: the bucket "payslips" is not in attachments.buckets`},
		{"TooMany", []string{"object:invoices/a", "object:invoices/b", "object:invoices/c"}, "has 3 attachments; at most 2 are allowed"},
		{"NoURL", []string{"nonsense"}, `the host "" is not`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var list []task.Attachment
			for _, url := range tt.urls {
				list = append(list, task.Attachment{URL: url, MediaType: task.MediaPDF})
			}
			err := c.Attachments.Check(list)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			refused, ok := task.IsRefused(err)
			require.True(t, ok)
			require.Equal(t, task.CodeAttachments, refused.Code)
			require.ErrorContains(t, err, tt.want)
		})
	}

	t.Run("OnlyTheBucketByDefault", func(t *testing.T) {
		t.Parallel()
		a := mustParse(t, "").Attachments
		require.NoError(t, a.Check([]task.Attachment{{URL: task.ObjectURL(task.DefaultBucket, "a")}}))
		require.Error(t, a.Check([]task.Attachment{{URL: "https://example.com/"}}))
	})
}
