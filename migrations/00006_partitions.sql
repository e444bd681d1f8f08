-- +goose Up
-- Partitions by the time in a UUIDv7: the first 48 bits are milliseconds since 1970.

-- Clamped to what 48 bits hold, so that an open end ('-infinity', the zero time of a program) selects everything.
-- +goose StatementBegin
CREATE FUNCTION weir.uuid7_at(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (lpad(to_hex(least(greatest(floor(extract(epoch FROM at) * 1000), 0), 281474976710655)::bigint), 12, '0')
            || repeat('0', 20))::uuid;
-- +goose StatementEnd
COMMENT ON FUNCTION weir.uuid7_at IS
    'the least UUIDv7 of an instant: task_id >= weir.uuid7_at(t) selects the tasks accepted since t and prunes partitions';

-- +goose StatementBegin
CREATE FUNCTION weir.uuid7_time(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0);
-- +goose StatementEnd

-- Attached, because CREATE TABLE ... PARTITION OF would lock the parent against its readers, and wait behind the longest
-- report with everybody else behind it. Bounds are timestamps in UTC without a zone: adding a day or a month to a
-- timestamptz follows the session's zone, and its summer time would leave gaps.
-- +goose StatementBegin
CREATE FUNCTION weir.make_partition(parent text, part text, lower_utc timestamp, upper_utc timestamp) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(format('weir.%I', part)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE weir.%I (LIKE weir.%I INCLUDING ALL)', part, parent);
    EXECUTE format('ALTER TABLE weir.%I ATTACH PARTITION weir.%I FOR VALUES FROM (%L) TO (%L)', parent, part,
        weir.uuid7_at(lower_utc AT TIME ZONE 'UTC'), weir.uuid7_at(upper_utc AT TIME ZONE 'UTC'));
    RETURN true;
END $$;
-- +goose StatementEnd

-- There is no default partition: it would forbid detaching concurrently. A missing one is an error that retries.
-- +goose StatementBegin
CREATE FUNCTION weir.ensure_partitions(now timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    today timestamp := date_trunc('day', now AT TIME ZONE 'UTC');
    lower timestamp;
    part  text;
    -- builds of Postgres without lz4 keep the default compression
    lz4   boolean := EXISTS (SELECT FROM pg_settings
                             WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals));
BEGIN
    -- one creator at a time: two would collide on the names
    PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
    FOR lower IN SELECT generate_series(date_trunc('month', today) - interval '1 month',
                                        date_trunc('month', today + interval '7 days'), interval '1 month') LOOP
        part := 'attempts_' || to_char(lower, 'YYYYMM');
        IF weir.make_partition('attempts', part, lower, lower + interval '1 month') THEN
            EXECUTE format('ALTER TABLE weir.%I SET (autovacuum_vacuum_scale_factor = 0.02,
                autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02)', part);
        END IF;
    END LOOP;
    FOR lower IN SELECT generate_series(today - interval '1 day', today + interval '7 days', interval '1 day') LOOP
        part := 'payloads_' || to_char(lower, 'YYYYMMDD');
        IF weir.make_partition('payloads', part, lower, lower + interval '1 day') AND lz4 THEN
            EXECUTE format('ALTER TABLE weir.%I ALTER COLUMN body SET COMPRESSION lz4', part);
        END IF;
        part := 'outputs_' || to_char(lower, 'YYYYMMDD');
        IF weir.make_partition('outputs', part, lower, lower + interval '1 day') AND lz4 THEN
            EXECUTE format('ALTER TABLE weir.%I ALTER COLUMN output SET COMPRESSION lz4', part);
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd
SELECT weir.ensure_partitions(now());

-- Drops the days of texts that end before an instant, but for days in which an unfinished task was accepted.
-- +goose StatementBegin
CREATE FUNCTION weir.drop_text_partitions(before timestamptz) RETURNS integer
    LANGUAGE plpgsql
    -- a drop locks the parent: rather than stand in line behind a long reader, and everybody else behind it, try later
    SET lock_timeout = '2s'
AS $$
DECLARE
    part    text;
    day     timestamp;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
    FOR part IN SELECT c.relname
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent IN ('weir.payloads'::regclass, 'weir.outputs'::regclass)
                ORDER BY c.relname LOOP
        day := to_date(right(part, 8), 'YYYYMMDD');
        IF day + interval '1 day' > before AT TIME ZONE 'UTC'
           OR EXISTS (SELECT FROM weir.tasks t
                      WHERE t.id >= weir.uuid7_at(day AT TIME ZONE 'UTC')
                        AND t.id < weir.uuid7_at((day + interval '1 day') AT TIME ZONE 'UTC')
                        AND t.finished_at IS NULL) THEN
            CONTINUE;
        END IF;
        EXECUTE format('DROP TABLE weir.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION weir.drop_text_partitions, weir.ensure_partitions, weir.make_partition, weir.uuid7_time,
    weir.uuid7_at;
