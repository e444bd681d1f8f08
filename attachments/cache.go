package attachments

import (
	"container/list"
	"sync"
	"time"

	"github.com/weirhq/weir/task"
)

// cache keeps files for the next stage of their tasks, the least used leaving first. A file is known by its URL and not by
// its digest alone: who names a digest has not shown that the file is theirs.
type cache struct {
	most int64
	age  time.Duration
	now  func() time.Time

	mu    sync.Mutex
	bytes int64
	order *list.List // of *kept, the latest used first
	files map[task.Attachment]*list.Element
}

type kept struct {
	key   task.Attachment
	data  []byte
	until time.Time
}

func newCache(most int64, age time.Duration, now func() time.Time) *cache {
	return &cache{most: most, age: age, now: now, order: list.New(), files: map[task.Attachment]*list.Element{}}
}

func (c *cache) get(a task.Attachment) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.files[a]
	if !ok {
		return nil, false
	}
	file, ok := element.Value.(*kept)
	if !ok || !c.now().Before(file.until) {
		c.drop(element)
		return nil, false
	}
	c.order.MoveToFront(element)
	return file.data, true
}

func (c *cache) put(a task.Attachment, data []byte) {
	if int64(len(data)) > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.files[a]; ok {
		c.drop(element)
	}
	c.files[a] = c.order.PushFront(&kept{key: a, data: data, until: c.now().Add(c.age)})
	for c.bytes += int64(len(data)); c.bytes > c.most; {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(element *list.Element) {
	if file, ok := c.order.Remove(element).(*kept); ok {
		delete(c.files, file.key)
		c.bytes -= int64(len(file.data))
	}
}
