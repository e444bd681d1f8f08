-- +goose Up
-- River's two GIN indexes cost a third of its insert rate and nothing in weir searches args or metadata.
DROP INDEX IF EXISTS river.river_job_args_index;
DROP INDEX IF EXISTS river.river_job_metadata_index;

-- Queue rows live for milliseconds: the defaults would let dead rows pile up in the fetch index.
ALTER TABLE river.river_job SET (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 500
);

-- +goose Down
ALTER TABLE river.river_job RESET (
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_threshold,
    autovacuum_vacuum_cost_delay,
    autovacuum_analyze_scale_factor,
    autovacuum_analyze_threshold
);
CREATE INDEX IF NOT EXISTS river_job_args_index ON river.river_job USING gin (args);
CREATE INDEX IF NOT EXISTS river_job_metadata_index ON river.river_job USING gin (metadata);
