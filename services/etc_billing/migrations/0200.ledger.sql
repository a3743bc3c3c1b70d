-- The ledger: append-only, integer fen, every entry sums to zero, a key never twice. A batch of passages is one block,
-- one transaction, on the chain of the process that wrote it; blocks of one chain hold each other's hashes.
CREATE SCHEMA billing;

-- Kinds stand in domain/ledger.py.
CREATE TABLE billing.accounts (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind smallint NOT NULL,
    holder text NOT NULL,
    UNIQUE (kind, holder)
);

-- Whoever adds a block holds the advisory lock of its chain until the commit.
CREATE TABLE billing.blocks (
    chain integer NOT NULL,
    block_number bigint NOT NULL CHECK (block_number > 0),
    post_time_ms bigint NOT NULL,
    passage_count integer NOT NULL,
    posting_count integer NOT NULL,
    content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
    previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
    block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
    PRIMARY KEY (chain, block_number)
);

-- Exit records as they came (`body`: domain/exit_records.py), and what they cost. `passage_key` begins with the day in
-- the exit id, so that those of one day lie together; `account_id`: who owes.
CREATE TABLE billing.passages (
    passage_key uuid PRIMARY KEY,
    digest bigint NOT NULL,
    chain integer NOT NULL,
    block_number bigint NOT NULL,
    row_number integer NOT NULL,
    account_id bigint NOT NULL,
    business_day integer NOT NULL,
    exit_time_ms bigint NOT NULL,
    payable_fen bigint NOT NULL,
    charge_fen bigint NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE billing.passages ALTER body SET STORAGE PLAIN;
CREATE INDEX passages_block ON billing.passages USING brin (chain, block_number);

CREATE TABLE billing.postings (
    chain integer NOT NULL,
    block_number bigint NOT NULL,
    entry_number integer NOT NULL,
    account_id bigint NOT NULL,
    business_day integer NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen <> 0)
);
CREATE INDEX postings_block ON billing.postings USING brin (chain, block_number);

-- What each block changes on each account and business day: a balance as known at any time is a sum of these.
CREATE TABLE billing.balance_changes (
    account_id bigint NOT NULL,
    business_day integer NOT NULL,
    post_time_ms bigint NOT NULL,
    chain integer NOT NULL,
    block_number bigint NOT NULL,
    amount_fen bigint NOT NULL,
    PRIMARY KEY (account_id, post_time_ms, business_day, chain, block_number) INCLUDE (amount_fen)
);

CREATE FUNCTION billing.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'billing.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION billing.check_sums() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _entry record;
BEGIN
    SELECT chain, block_number, entry_number, sum(amount_fen) AS rest INTO _entry FROM added
    GROUP BY chain, block_number, entry_number HAVING sum(amount_fen) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % of block %/% sums to % fen, not to zero', _entry.entry_number, _entry.chain,
            _entry.block_number, _entry.rest USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER entries_sum_to_zero AFTER INSERT ON billing.postings
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing.check_sums();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.blocks
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.passages
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.postings
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.balance_changes
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
