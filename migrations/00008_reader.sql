-- +goose Up
-- weir_ro is for SQL clients and dashboards: it reads the views and nothing else, never a text. Roles belong to the
-- cluster, so it may be there already: made for another database, by an administrator, or in this very moment.

-- +goose StatementBegin
DO $$
DECLARE
    name text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        BEGIN
            -- without a password it can log in only where pg_hba.conf asks for none
            CREATE ROLE weir_ro LOGIN;
            ALTER ROLE weir_ro SET default_transaction_read_only = on;
            ALTER ROLE weir_ro SET statement_timeout = '30s';
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database's migration was faster
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role weir_ro was not made: % may not create roles; docs/sql.md has the statements', current_user;
                RETURN;
        END;
    END IF;
    GRANT USAGE ON SCHEMA weir TO weir_ro;
    GRANT EXECUTE ON FUNCTION weir.uuid7_at TO weir_ro;
    FOREACH name IN ARRAY ARRAY['latest_outcomes', 'tasks_flat', 'attempts_flat', 'cpuo', 'feature_cost', 'model_usage',
                                'cascade_funnel', 'rejections', 'savings'] LOOP
        EXECUTE format('GRANT SELECT ON weir.%I TO weir_ro', name);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
-- The role itself stays: other databases of the cluster may use it.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        REVOKE SELECT ON ALL TABLES IN SCHEMA weir FROM weir_ro;
        REVOKE EXECUTE ON FUNCTION weir.uuid7_at FROM weir_ro;
        REVOKE USAGE ON SCHEMA weir FROM weir_ro;
    END IF;
END $$;
-- +goose StatementEnd
