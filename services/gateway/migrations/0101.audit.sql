-- Which person did what through the gateway. The api's audit_log names the gateway as its caller; request_id joins the two
-- with the logs. A row is written before the deed and completed after it, so a crash leaves BEGUN, never nothing.
CREATE TABLE person_audit_log (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audit_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    name text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    subject_id text NOT NULL,
    detail jsonb NOT NULL,
    address text NOT NULL,
    request_id text NOT NULL,
    outcome text NOT NULL DEFAULT 'BEGUN'
);
CREATE INDEX person_audit_log_name ON person_audit_log (name, audit_id DESC);
