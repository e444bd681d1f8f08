package httpcall

import (
	"encoding/base64"
	"strconv"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// AppendBase64 appends data as a JSON string in base64.
func AppendBase64(dst, data []byte) []byte {
	dst = append(dst, '"')
	return append(base64.StdEncoding.AppendEncode(dst, data), '"')
}

// AppendDataURL appends a file as a JSON string that holds a data URL.
func AppendDataURL(dst []byte, a providers.Attachment) []byte {
	dst = append(append(dst, `"data:`...), a.MediaType...)
	dst = append(dst, `;base64,`...)
	return append(base64.StdEncoding.AppendEncode(dst, a.Data), '"')
}

// FileName is a name for the i-th attachment: some APIs demand one, and its own may say more than is meant to leave.
func FileName(i int, a providers.Attachment) string {
	name := "attachment-" + strconv.Itoa(i+1)
	if a.MediaType == task.MediaPDF {
		name += ".pdf"
	}
	return name
}

// AttachmentsSize is about how many bytes a call's files take in its body.
func AttachmentsSize(attachments []providers.Attachment) int {
	const around = 160
	size := 0
	for _, a := range attachments {
		size += base64.StdEncoding.EncodedLen(len(a.Data)) + around
	}
	return size
}
