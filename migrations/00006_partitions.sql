-- +goose Up
-- Partitions by the time in a UUIDv7: the first 48 bits are milliseconds since 1970.

-- +goose StatementBegin
CREATE FUNCTION weir.uuid7_at(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
-- +goose StatementEnd
COMMENT ON FUNCTION weir.uuid7_at IS
    'the least UUIDv7 of an instant: task_id >= weir.uuid7_at(t) selects the tasks accepted since t and prunes partitions';

-- +goose StatementBegin
CREATE FUNCTION weir.uuid7_time(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0);
-- +goose StatementEnd

-- There is no default partition: it would forbid detaching concurrently. A missing one is an error that retries.
-- +goose StatementBegin
CREATE FUNCTION weir.ensure_partitions(now timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    lower timestamptz;
    part  text;
    -- builds of Postgres without lz4 keep the default compression
    lz4   boolean := EXISTS (SELECT FROM pg_settings
                             WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals));
BEGIN
    -- one creator at a time: two would collide on the names
    PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
    FOR lower IN SELECT generate_series(date_trunc('month', now, 'UTC') - interval '1 month',
                                        date_trunc('month', now + interval '7 days', 'UTC'), interval '1 month') LOOP
        lower := date_trunc('month', lower, 'UTC');
        part := 'attempts_' || to_char(lower AT TIME ZONE 'UTC', 'YYYYMM');
        IF to_regclass('weir.' || part) IS NULL THEN
            EXECUTE format('CREATE TABLE weir.%I PARTITION OF weir.attempts FOR VALUES FROM (%L) TO (%L) WITH (
                autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
                autovacuum_analyze_scale_factor = 0.02)', part,
                weir.uuid7_at(lower), weir.uuid7_at((lower AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'));
        END IF;
    END LOOP;
    FOR lower IN SELECT generate_series(date_trunc('day', now, 'UTC') - interval '1 day',
                                        date_trunc('day', now, 'UTC') + interval '7 days', interval '1 day') LOOP
        part := 'payloads_' || to_char(lower AT TIME ZONE 'UTC', 'YYYYMMDD');
        IF to_regclass('weir.' || part) IS NULL THEN
            EXECUTE format('CREATE TABLE weir.%I PARTITION OF weir.payloads FOR VALUES FROM (%L) TO (%L)', part,
                weir.uuid7_at(lower), weir.uuid7_at(lower + interval '1 day'));
            IF lz4 THEN
                EXECUTE format('ALTER TABLE weir.%I ALTER COLUMN body SET COMPRESSION lz4', part);
            END IF;
        END IF;
        part := 'outputs_' || to_char(lower AT TIME ZONE 'UTC', 'YYYYMMDD');
        IF to_regclass('weir.' || part) IS NULL THEN
            EXECUTE format('CREATE TABLE weir.%I PARTITION OF weir.outputs FOR VALUES FROM (%L) TO (%L)', part,
                weir.uuid7_at(lower), weir.uuid7_at(lower + interval '1 day'));
            IF lz4 THEN
                EXECUTE format('ALTER TABLE weir.%I ALTER COLUMN output SET COMPRESSION lz4', part);
            END IF;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd
SELECT weir.ensure_partitions(now());

-- +goose Down
DROP FUNCTION weir.ensure_partitions, weir.uuid7_time, weir.uuid7_at;
