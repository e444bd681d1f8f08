-- +goose Up
-- What was learnt about tasks before they are called, and the trained models that say so.

-- What the class goes by beside its source: the probabilities of L1, L2 and L3, what they were learnt from (a trained
-- model's hash or a snapshot of pass rates), and why a trained model that was asked did not decide. NULL where nothing of
-- the kind was asked.
ALTER TABLE weir.tasks
    ADD COLUMN class_probabilities real[],
    ADD COLUMN class_learned       text,
    ADD COLUMN class_abstained     text;

-- Trained models, whole: every process has the one in use, and an old decision can be made again.
CREATE TABLE weir.classifier_models (
    hash     text        CONSTRAINT classifier_models_pkey PRIMARY KEY, -- SHA-256 of the file
    file     bytea       NOT NULL,
    about    jsonb       NOT NULL, -- the file's header: what it was trained on and how it did
    added_at timestamptz NOT NULL,
    CONSTRAINT classifier_models_file_check CHECK (length(file) <= 4194304)
);

-- Which model has which role since when; the last row of a role stands. NULL: none.
CREATE TABLE weir.classifier_changes (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT classifier_changes_pkey PRIMARY KEY,
    role       text        NOT NULL,
    hash       text        CONSTRAINT classifier_changes_hash_fkey REFERENCES weir.classifier_models (hash),
    changed_at timestamptz NOT NULL,
    CONSTRAINT classifier_changes_role_check CHECK (role IN ('active', 'shadow'))
);

-- What a model that only looks on would have decided.
CREATE TABLE weir.shadow_classes (
    task_id    uuid NOT NULL,
    model      text NOT NULL,
    class      text,          -- NULL: it abstained
    confidence real NOT NULL,
    abstained  text,
    CONSTRAINT shadow_classes_pkey PRIMARY KEY (task_id, model)
);

CREATE VIEW weir.shadow_comparison AS
SELECT s.model AS shadow, t.feature, t.class, coalesce(s.class, 'abstained') AS shadow_class,
       count(*) AS tasks,
       count(*) FILTER (WHERE a.verdict = 'accepted') AS first_accepted,
       count(*) FILTER (WHERE a.verdict = 'rejected') AS first_rejected,
       round(sum(t.cost_pusd)::numeric / 1e12, 12) AS cost_usd
FROM weir.shadow_classes s
JOIN weir.tasks t ON t.id = s.task_id
LEFT JOIN weir.attempts a ON a.task_id = s.task_id AND a.n = 1
GROUP BY s.model, t.feature, t.class, coalesce(s.class, 'abstained');
COMMENT ON VIEW weir.shadow_comparison IS
    'what the trained model that looks on would have decided, beside what was decided and how the first answer went';

-- How models' answers went, by call path: the snapshots that plans and priors go by, so that both can be repeated.
CREATE TABLE weir.rate_snapshots (
    id       uuid        CONSTRAINT rate_snapshots_pkey PRIMARY KEY,
    since    timestamptz NOT NULL, -- tasks accepted from here on count
    taken_at timestamptz NOT NULL
);

CREATE TABLE weir.pass_rates (
    snapshot_id uuid    NOT NULL CONSTRAINT pass_rates_snapshot_fkey REFERENCES weir.rate_snapshots (id) ON DELETE CASCADE,
    tenant      text    NOT NULL,
    feature     text    NOT NULL,
    call_path   text    NOT NULL,
    class       text    NOT NULL,
    model       text    NOT NULL,
    asked_first boolean NOT NULL, -- no other model had failed the task
    tried       bigint  NOT NULL, -- answers that were accepted or rejected
    accepted    bigint  NOT NULL,
    cost_pusd   bigint  NOT NULL, -- of those whose cost is known
    priced      bigint  NOT NULL, -- how many those are
    CONSTRAINT pass_rates_pkey PRIMARY KEY (snapshot_id, tenant, feature, call_path, class, model, asked_first)
);

CREATE VIEW weir.current_pass_rates AS
SELECT s.taken_at, p.tenant, p.feature, p.call_path, p.class, p.model, p.asked_first, p.tried, p.accepted,
       round(p.accepted::numeric / p.tried, 4) AS pass_rate,
       round(p.cost_pusd::numeric / nullif(p.priced, 0) / 1e12, 12) AS mean_cost_usd
FROM weir.pass_rates p
JOIN weir.rate_snapshots s ON s.id = p.snapshot_id
WHERE s.id = (SELECT id FROM weir.rate_snapshots ORDER BY taken_at DESC, id DESC LIMIT 1);
COMMENT ON VIEW weir.current_pass_rates IS
    'how often models'' answers were accepted, by call path and class, in the last snapshot: what plans go by';

-- How the plan came about where it is not the cascade as configured.
ALTER TABLE weir.plans ADD COLUMN policy text;

CREATE VIEW weir.explanations AS
SELECT t.id AS task_id, t.tenant, t.feature, t.call_path, t.key, t.state,
       t.class, t.class_source, round(t.confidence::numeric, 4) AS confidence,
       round(t.class_probabilities[1]::numeric, 4) AS p_l1,
       round(t.class_probabilities[2]::numeric, 4) AS p_l2,
       round(t.class_probabilities[3]::numeric, 4) AS p_l3,
       t.class_learned, t.class_abstained,
       t.prompt_tokens, t.max_output_tokens,
       (SELECT string_agg(s.stage ->> 'model', ' > ' ORDER BY s.n)
        FROM jsonb_array_elements(p.stages) WITH ORDINALITY AS s (stage, n)) AS plan,
       p.policy,
       (SELECT string_agg(format('%s: %s', i.model ->> 'model', i.model ->> 'reason'), '; ' ORDER BY i.n)
        FROM jsonb_array_elements(p.included) WITH ORDINALITY AS i (model, n)) AS why_in,
       (SELECT string_agg(format('%s: %s', e.model ->> 'model', e.model ->> 'reason'), '; ' ORDER BY e.n)
        FROM jsonb_array_elements(p.excluded) WITH ORDINALITY AS e (model, n)) AS why_out,
       (SELECT string_agg(format('%s. %s %s', a.n, a.model, concat_ws(' ', coalesce(a.verdict, a.state),
                   'by ' || a.validator, a.failure)), -- no reasons: they quote answers
               '; ' ORDER BY a.n)
        FROM weir.attempts a WHERE a.task_id = t.id) AS attempts,
       round(t.cost_pusd::numeric / 1e12, 12) AS cost_usd,
       round(t.cost_high_pusd::numeric / 1e12, 12) AS cost_high_usd
FROM weir.tasks t
LEFT JOIN weir.plans p ON p.id = t.plan_id;
COMMENT ON VIEW weir.explanations IS
    'why a task has its class and its plan, and what became of it: ask for one by its task_id';

-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'weir_ro') THEN
        GRANT SELECT ON weir.shadow_comparison, weir.current_pass_rates, weir.explanations TO weir_ro;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW weir.explanations, weir.current_pass_rates, weir.shadow_comparison;
DROP TABLE weir.pass_rates, weir.rate_snapshots, weir.shadow_classes, weir.classifier_changes, weir.classifier_models;
ALTER TABLE weir.plans DROP COLUMN policy;
ALTER TABLE weir.tasks DROP COLUMN class_probabilities, DROP COLUMN class_learned, DROP COLUMN class_abstained;
