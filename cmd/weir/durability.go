package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	durabilityTimeout = 5 * time.Second
	durabilityBytes   = 1 << 20 // of the monitoring endpoint's answer
)

// warnDurability says whether NATS syncs every message before it acknowledges it, which "accepted" promises. Clients
// cannot read that setting: the monitoring endpoint can, where there is one.
func warnDurability(ctx context.Context, monitorURL string, logger *slog.Logger) {
	if monitorURL == "" {
		logger.WarnContext(ctx, "whether NATS runs with sync_interval: always is not known; set WEIR_NATS_MONITOR_URL to have it checked")
		return
	}
	always, err := syncAlways(ctx, monitorURL)
	if err != nil {
		logger.WarnContext(ctx, "whether NATS runs with sync_interval: always could not be read", slog.Any("err", err))
		return
	}
	if !always {
		logger.ErrorContext(ctx, "NATS does not sync messages before it acknowledges them: a power failure loses accepted tasks; "+
			"set jetstream { sync_interval: always }")
	}
}

func syncAlways(ctx context.Context, monitorURL string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, durabilityTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(monitorURL, "/")+"/varz", nil)
	if err != nil {
		return false, fmt.Errorf("ask NATS: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, fmt.Errorf("ask NATS: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var varz struct {
		JetStream struct {
			Config struct {
				SyncAlways bool `json:"sync_always"`
			} `json:"config"`
		} `json:"jetstream"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, durabilityBytes)).Decode(&varz); err != nil {
		return false, fmt.Errorf("read NATS's answer: %w", err)
	}
	return varz.JetStream.Config.SyncAlways, nil
}
