-- One counter for every change of the register and the fences, so that readers ask for "what changed since".
-- Writers hold an advisory lock until they commit (adapters/changes.py): numbers become visible in their own order.
CREATE SEQUENCE change_sequence AS bigint;

CREATE TABLE request_ids (
    caller text NOT NULL,
    method text NOT NULL,
    request_id text NOT NULL,
    body_hash bytea NOT NULL,
    answer bytea NOT NULL,
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (caller, method, request_id)
);
CREATE INDEX request_ids_expire_time ON request_ids (expire_time);

CREATE TABLE audit_log (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audit_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    caller text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    subject_id text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE INDEX audit_log_subject ON audit_log (subject, subject_id, audit_id);
