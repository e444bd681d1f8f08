package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// Counts are what the tests need of a format that counts a prompt's tokens before a call.
type Counts struct {
	// Path is the end of the method's path for the model model-1.
	Path string
	// Field is the field of an answer that holds the count.
	Field string
	// Whole says that the question repeats the call's settings too, which have no tokens.
	Whole bool
}

func (s Suite) testCounts(t *testing.T) {
	t.Helper()
	if s.Counts == nil {
		_, counts := s.provider(t, s.config("https://api.example.com")).(providers.TokenCounter)
		require.False(t, counts, "a format that counts says how")
		return
	}
	t.Run("WhatIsAsked", func(t *testing.T) { t.Parallel(); s.testAsked(t) })
	t.Run("TheSamePrompt", func(t *testing.T) { t.Parallel(); s.testCountedPrompt(t) })
	t.Run("BadCounts", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{
			`{}`, `[]`, `null`, `7`, `{"` + s.Counts.Field + `":null}`, `{"` + s.Counts.Field + `":"7"}`,
			`{"` + s.Counts.Field + `":0}`, `{"` + s.Counts.Field + `":-7}`, `{"` + s.Counts.Field + `":1.5}`,
			`{"` + s.Counts.Field + `":1000000001}`, `{"` + s.Counts.Field + `":1e40}`, `<html>`, "", s.Good,
		} {
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, body) })
			n, failed := s.count(t, t.Context(), srv.URL)
			require.NotNil(t, failed, body)
			require.Equal(t, task.FailMalformed, failed.Class, body)
			require.Zero(t, n)
			require.EqualValues(t, 1, srv.requests.Load(), "one Count is one request")
		}
	})
	t.Run("Refusals", func(t *testing.T) {
		t.Parallel()
		for _, r := range s.Refusals {
			srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range r.Header {
					w.Header().Set(name, value)
				}
				writeJSON(w, r.Status, r.Body)
			})
			_, failed := s.count(t, t.Context(), srv.URL)
			require.NotNil(t, failed, r.Name)
			require.Equal(t, r.Class, failed.Class, r.Name)
			require.Equal(t, r.RetryAfter, failed.RetryAfter, r.Name)
		}
	})
	t.Run("TooLate", func(t *testing.T) {
		t.Parallel()
		srv := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), shortTime)
		defer cancel()
		started := time.Now()
		_, failed := s.count(t, ctx, srv.URL)
		require.NotNil(t, failed)
		require.Contains(t, []task.FailureClass{task.FailTimeout, task.FailNotSent}, failed.Class)
		require.Less(t, time.Since(started), longTime)
	})
}

func (s Suite) counter(t *testing.T, url string) providers.TokenCounter {
	t.Helper()
	counter, counts := s.provider(t, s.config(url)).(providers.TokenCounter)
	require.True(t, counts)
	return counter
}

func question(t *testing.T, c providers.TokenCounter, call providers.Call) providers.Request {
	t.Helper()
	r, err := c.PrepareCount(call)
	require.NoError(t, err)
	require.True(t, json.Valid(r.Body), string(r.Body))
	return r
}

//nolint:revive // the test's own context is not always the one
func (s Suite) count(t *testing.T, ctx context.Context, url string) (int64, *providers.CallError) {
	t.Helper()
	counter := s.counter(t, url)
	n, err := counter.Count(ctx, question(t, counter, s.call()))
	return n, failure(t, err)
}

// testAsked expects one POST to the method's own path, with the key.
func (s Suite) testAsked(t *testing.T) {
	t.Helper()
	got := make(chan *http.Request, 1)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r
		writeJSON(w, http.StatusOK, `{"object":"x","`+s.Counts.Field+`":1234}`)
	})
	counter := s.counter(t, srv.URL)
	asked := question(t, counter, s.call())
	n, err := counter.Count(t.Context(), asked)
	require.NoError(t, err)
	require.EqualValues(t, 1234, n)
	sent := <-got
	body, err := io.ReadAll(sent.Body)
	require.NoError(t, err)
	require.Equal(t, asked.Body, body)
	require.Equal(t, http.MethodPost, sent.Method)
	require.Regexp(t, "/v1(beta)?"+s.Counts.Path+"$", sent.URL.Path)
	require.Equal(t, s.KeyPrefix+canary, sent.Header.Get(s.KeyHeader))
	require.EqualValues(t, 1, srv.requests.Load())
}

// testCountedPrompt expects every part of the prompt as Prepare sends it, and nothing that has no tokens.
func (s Suite) testCountedPrompt(t *testing.T) {
	t.Helper()
	counter := s.counter(t, "https://api.example.com")
	plain := question(t, counter, s.call())
	require.Zero(t, plain.Timeout, "the call's timeout is not the question's")
	for name, change := range map[string]func(*providers.Call){
		"system":  func(c *providers.Call) { c.System += "." },
		"context": func(c *providers.Call) { c.Context = []string{"Other."} },
		"tools":   func(c *providers.Call) { c.Tools[0].Description += "." },
		"schema":  func(c *providers.Call) { c.Schema = []byte(`{"type":"object"}`) },
		"message": func(c *providers.Call) { c.Messages[2].Content += "." },
		"examples": func(c *providers.Call) {
			c.StableContext = len(c.Context)
			c.Examples = []task.Message{{Role: task.RoleUser, Content: "In"}, {Role: task.RoleAssistant, Content: "Out"}}
		},
	} {
		call := s.call()
		change(&call)
		require.NotEqual(t, plain.Body, question(t, counter, call).Body, name)
	}
	call := s.call()
	call.MaxOutputTokens, call.ServiceTier, call.Temperature, call.CacheKey = 77, "flex", new(0.25), "weir-key"
	call.Timeout = longTime
	if s.Counts.Whole {
		prepared := prepare(t, s.provider(t, s.config("https://api.example.com")), call)
		require.True(t, bytes.Contains(question(t, counter, call).Body, prepared.Body[1:]))
	} else {
		require.Equal(t, plain, question(t, counter, call))
	}
	_, err := counter.PrepareCount(providers.Call{})
	require.ErrorIs(t, err, providers.ErrCall)
}
