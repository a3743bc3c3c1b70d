-- Clearing: a day is closed once. Its row comes last, in the transaction of its passages, sheets and journal entry.

-- `digest`: of the set of passage keys (domain/clearing.py). `chains`, `blocks`: how far the ledger was read; what comes
-- after is new to the next day. `block_number`: that of the journal entry on the clearing's chain, 0 where nothing is owed.
CREATE TABLE billing.closed_days (
    day integer PRIMARY KEY,
    close_time_ms bigint NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    passage_count bigint NOT NULL,
    total_fen bigint NOT NULL,
    block_number bigint NOT NULL,
    chains integer[] NOT NULL,
    blocks bigint[] NOT NULL CHECK (cardinality(blocks) = cardinality(chains))
);

-- What an owner gets of a day: the totals, digest and Merkle root of its file.
CREATE TABLE billing.owner_sheets (
    day integer NOT NULL,
    owner text NOT NULL,
    root bytea NOT NULL CHECK (length(root) = 32),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    line_count bigint NOT NULL,
    passage_count bigint NOT NULL,
    total_fen bigint NOT NULL,
    PRIMARY KEY (day, owner)
);

CREATE TABLE billing.cleared_passages (
    passage_key uuid PRIMARY KEY,
    day integer NOT NULL
);

CREATE INDEX passages_day ON billing.passages USING brin (business_day);

CREATE FUNCTION billing.check_day_open() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _day integer;
BEGIN
    SELECT day INTO _day FROM billing.closed_days WHERE day IN (SELECT DISTINCT day FROM added) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'day % is closed', _day USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION billing.check_closing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _sum bigint;
BEGIN
    SELECT coalesce(sum(total_fen), 0) INTO _sum FROM billing.owner_sheets WHERE day = NEW.day;
    IF _sum <> NEW.total_fen THEN
        RAISE EXCEPTION 'day %: owners get % fen of %', NEW.day, _sum, NEW.total_fen USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM billing.closed_days WHERE day > NEW.day) THEN
        RAISE EXCEPTION 'a day after day % is closed', NEW.day USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER day_is_open AFTER INSERT ON billing.owner_sheets
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing.check_day_open();
CREATE TRIGGER day_is_open AFTER INSERT ON billing.cleared_passages
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing.check_day_open();
CREATE TRIGGER sums_agree BEFORE INSERT ON billing.closed_days
FOR EACH ROW EXECUTE FUNCTION billing.check_closing();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.closed_days
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.owner_sheets
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.cleared_passages
FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse();
