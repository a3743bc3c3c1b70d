"""What became of posted records, read from the database: the invariants of the ledger."""

from __future__ import annotations

from typing import Any

import psycopg

from common.infra.postgres import open_pool
from services.etc_billing.adapters.ledger_store import verified

# Each finds nothing in a sound ledger.
FAULTS = {
    "a passage twice": "SELECT passage_key FROM billing.passages GROUP BY 1 HAVING count(*) > 1",
    "a row number twice": "SELECT chain, block_number, row_number FROM billing.passages GROUP BY 1, 2, 3"
    " HAVING count(*) > 1",
    "an entry that does not sum to zero": "SELECT chain, block_number, entry_number, sum(amount_fen)"
    " FROM billing.postings GROUP BY 1, 2, 3 HAVING sum(amount_fen) <> 0",
    "accounts that do not sum to zero": "SELECT sum(amount_fen) FROM billing.balance_changes HAVING"
    " sum(amount_fen) <> 0",
    "changes that are not the sum of postings": "SELECT * FROM"
    " (SELECT account_id, business_day, chain, block_number, sum(amount_fen) AS fen FROM billing.postings"
    " GROUP BY 1, 2, 3, 4) AS posted FULL JOIN"
    " (SELECT account_id, business_day, chain, block_number, amount_fen AS fen FROM billing.balance_changes) AS changed"
    " USING (account_id, business_day, chain, block_number)"
    " WHERE posted.fen IS DISTINCT FROM changed.fen AND (posted.fen <> 0 OR changed.fen <> 0)",
    "a charge that its debtor does not owe": "SELECT passage_key FROM billing.passages AS p LEFT JOIN billing.postings"
    " AS o ON (o.chain, o.block_number, o.entry_number, o.account_id)"
    " = (p.chain, p.block_number, p.row_number, p.account_id)"
    " WHERE coalesce(o.amount_fen, 0) <> p.charge_fen OR coalesce(o.business_day, p.business_day) <> p.business_day",
    "a posting without its passage": "SELECT * FROM billing.postings AS o LEFT JOIN billing.passages AS p"
    " ON (o.chain, o.block_number, o.entry_number) = (p.chain, p.block_number, p.row_number)"
    " WHERE p.passage_key IS NULL",
    "a block that counts what is not there": "SELECT * FROM billing.blocks AS b WHERE passage_count <>"
    " (SELECT count(*) FROM billing.passages AS p WHERE (p.chain, p.block_number) = (b.chain, b.block_number))"
    " OR posting_count <>"
    " (SELECT count(*) FROM billing.postings AS o WHERE (o.chain, o.block_number) = (b.chain, b.block_number))",
}


def faults_in(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """What is wrong with a ledger: its rows, by what each says, and what its verifier finds."""
    with psycopg.connect(url) as connection:
        connection.execute("ANALYZE")  # else the joins are planned for empty tables
        found = {name: connection.execute(query.encode()).fetchmany(5) for name, query in FAULTS.items()}
    with open_pool(url) as pool:
        found["the chain"] = [(fault,) for fault in verified(pool)[1]]
    return {name: rows for name, rows in found.items() if rows}


def stored(url: str) -> dict[str, int]:
    """How much there is of everything, and what the debtors owe together."""
    queries = {
        "blocks": "SELECT count(*) FROM billing.blocks",
        "passages": "SELECT count(*) FROM billing.passages",
        "postings": "SELECT count(*) FROM billing.postings",
        "charges_fen": "SELECT sum(charge_fen)::bigint FROM billing.passages",
        "owed_fen": "SELECT sum(amount_fen)::bigint FROM billing.balance_changes JOIN billing.accounts"
        " USING (account_id) WHERE kind IN (1, 3)",
    }
    with psycopg.connect(url) as connection:
        rows = {name: connection.execute(query.encode()).fetchone() for name, query in queries.items()}
    return {name: row[0] for name, row in rows.items() if row}
