package httpcall

import "github.com/weirhq/weir/task"

// AppendTools appends a call's tools as the field tools with a list, each as one writes it; nothing when there are none.
func AppendTools(
	dst []byte, tools []task.Tool, one func(dst []byte, tool task.Tool) ([]byte, error),
) ([]byte, error) {
	if len(tools) == 0 {
		return dst, nil
	}
	dst = append(dst, `,"tools":[`...)
	for i, tool := range tools {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = one(dst, tool); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}
