-- +goose Up
-- weir's ledger and River's queue live in schemas of their own: grants and dumps stay simple.
-- rivermigrate does not create its schema, so it has to exist before the next migration.
CREATE SCHEMA IF NOT EXISTS weir;
CREATE SCHEMA IF NOT EXISTS river;

-- +goose Down
DROP SCHEMA IF EXISTS river CASCADE;
DROP SCHEMA IF EXISTS weir CASCADE;
