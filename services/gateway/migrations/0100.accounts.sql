-- People who sign in. Numbers of this folder begin at 0100: all services' migrations share one table of what was applied.
CREATE TABLE accounts (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('operator', 'admin', 'auditor')),
    language text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    password_hash text NOT NULL,
    password_temporary boolean NOT NULL DEFAULT true,
    enabled boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    sign_in_time timestamptz
);
CREATE UNIQUE INDEX accounts_name ON accounts (lower(name));

-- Only the hash of a session's id is kept: who reads this table cannot take a session over.
CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    create_time timestamptz NOT NULL,
    seen_time timestamptz NOT NULL,
    address text NOT NULL
);
CREATE INDEX sessions_account_id ON sessions (account_id);
CREATE INDEX sessions_seen_time ON sessions (seen_time);
