"""The ledger in PostgreSQL: finding passages by their keys, and adding a block of them in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import TupleRow

from common.errors import NotFound
from common.infra.postgres import Pool, unavailable_when_away
from services.etc_billing.adapters.copy_rows import HEADER, TRAILER, fixed_rows, with_bodies
from services.etc_billing.domain.chain import GENESIS, End, Fault, Header, block_hash, faults
from services.etc_billing.domain.chain import Block as ReadBlock
from services.etc_billing.domain.ledger import Account, AccountKind
from services.etc_billing.flows.ports import Block, Known, PassageTaken, Stored

CHAIN_LOCK = 0x62696C6C  # the advisory locks of chains: this and the number of the chain

_TABLES = {
    "passages": "passage_key, digest, chain, block_number, row_number, account_id, business_day, exit_time_ms,"
    " payable_fen, charge_fen, body",
    "postings": "chain, block_number, entry_number, account_id, business_day, amount_fen",
    "balance_changes": "account_id, business_day, post_time_ms, chain, block_number, amount_fen",
}


class LedgerStore:
    """One chain of the ledger. Processes that share a chain wait for each other; each should have its own. `add` and
    `account_numbers` are for one thread, the others for any."""

    def __init__(self, pool: Pool, chain: int) -> None:
        self._pool = pool
        self._chain = chain
        self._accounts: dict[Account, int] = {}

    def find(self, keys: NDArray[np.void]) -> dict[bytes, Known]:
        """What is stored under keys, (n,) V16, by key."""
        with _connected(self._pool) as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(
                b"SELECT uuid_send(passage_key), digest, charge_fen FROM billing.passages"
                b" WHERE passage_key = ANY(%s::uuid[])",
                (_array(_split(keys)),),
            ).fetchall()
        return {bytes(key): Known(digest, charge) for key, digest, charge in rows}

    def find_bodies(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The records as they were stored, by key."""
        with _connected(self._pool) as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(
                b"SELECT uuid_send(passage_key), body FROM billing.passages WHERE passage_key = ANY(%s::uuid[])",
                (_array(keys),),
            ).fetchall()
        return {bytes(key): bytes(body) for key, body in rows}

    def get(self, key: bytes) -> Stored:
        """A passage. Raises NotFound."""
        with _connected(self._pool) as connection, connection.cursor(binary=True) as cursor:
            row = cursor.execute(
                b"SELECT body, payable_fen, charge_fen, post_time_ms, block_number FROM billing.passages"
                b" JOIN billing.blocks USING (chain, block_number) WHERE passage_key = %s::uuid",
                (key.hex(),),
            ).fetchone()
        if row is None:
            raise NotFound("passage", key.hex())
        return Stored(bytes(row[0]), *row[1:])

    def account_numbers(self, accounts: Sequence[Account]) -> NDArray[np.int64]:
        """The number of each account, made where it is new."""
        missing = sorted(set(accounts) - self._accounts.keys())
        if missing:
            kinds, holders = [int(account.kind) for account in missing], [account.holder for account in missing]
            with _connected(self._pool) as connection:
                connection.execute(
                    "INSERT INTO billing.accounts (kind, holder) SELECT * FROM unnest(%s::smallint[], %s::text[])"
                    " ON CONFLICT DO NOTHING",
                    (kinds, holders),
                )
                rows = connection.execute(
                    "SELECT kind, holder, account_id FROM billing.accounts"
                    " WHERE (kind, holder) IN (SELECT * FROM unnest(%s::smallint[], %s::text[]))",
                    (kinds, holders),
                ).fetchall()
            self._accounts |= {Account(AccountKind(kind), holder): number for kind, holder, number in rows}
        return np.array([self._accounts[account] for account in accounts], np.int64)

    def add(self, block: Block) -> int:
        """Store a block; durable on return. Returns its number. Raises PassageTaken when a passage came in through
        another chain meanwhile."""
        try:
            with _connected(self._pool) as connection:
                return self.add_within(connection, block)
        except psycopg.errors.UniqueViolation as error:
            raise PassageTaken from error

    def add_within(self, connection: psycopg.Connection[TupleRow], block: Block) -> int:
        """Store a block as part of somebody's transaction. Returns its number."""
        number, previous_hash = self._end_of_chain(connection)
        streams = _streams(block, self._chain, number)
        header = Header(
            self._chain, number, block.post_time_ms, len(block.bodies), len(block.entries),
            _content_hash(streams.values()), previous_hash,
        )  # fmt: skip
        connection.execute(
            "INSERT INTO billing.blocks VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", (*header, block_hash(header))
        )
        for table, stream in streams.items():
            with connection.cursor() as cursor, cursor.copy(_copy(table)) as copy:
                copy.write(HEADER + stream + TRAILER)
        return number

    def balance_fen(self, account: Account, *, known_time_ms: int, business_day: int) -> int:
        """The balance of an account as known at a time, of business days up to one. Raises NotFound."""
        with _connected(self._pool) as connection:
            row = connection.execute(
                "SELECT account_id FROM billing.accounts WHERE kind = %s AND holder = %s",
                (int(account.kind), account.holder),
            ).fetchone()
            if row is None:
                raise NotFound("account", account)
            [found] = connection.execute(
                "SELECT coalesce(sum(amount_fen), 0)::bigint FROM billing.balance_changes"
                " WHERE account_id = %s AND post_time_ms <= %s AND business_day <= %s",
                (row[0], known_time_ms, business_day),
            ).fetchone() or (0,)
        return int(found)

    def check(self) -> None:
        """Raise Unavailable when PostgreSQL does not answer."""
        with _connected(self._pool) as connection:
            connection.execute("SELECT 1")

    def _end_of_chain(self, connection: psycopg.Connection[TupleRow]) -> tuple[int, bytes]:
        """The number of the next block and the hash before it, held until the transaction ends."""
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (CHAIN_LOCK, self._chain))
        row = connection.execute(
            "SELECT block_number, block_hash FROM billing.blocks WHERE chain = %s ORDER BY block_number DESC LIMIT 1",
            (self._chain,),
        ).fetchone()
        return (1, GENESIS) if row is None else (row[0] + 1, bytes(row[1]))


def verified(pool: Pool) -> tuple[int, list[Fault]]:
    """How many blocks there are, and what is wrong with them: every block is read again, hashed and compared."""
    count, found = 0, list[Fault]()
    with _connected(pool) as connection, _connected(pool) as reading:
        chains = connection.execute("SELECT chain, max(block_number) FROM billing.blocks GROUP BY 1 ORDER BY 1")
        for chain, last in chains.fetchall():
            with connection.cursor(name="blocks") as rows:
                rows.execute(
                    "SELECT * FROM billing.blocks WHERE chain = %s AND block_number <= %s ORDER BY block_number",
                    (chain, last),
                )
                found += faults(_read(rows, reading), End(chain, 0, GENESIS))
            count += last
    return count, found


def _read(rows: Iterable[TupleRow], reading: psycopg.Connection[TupleRow]) -> Iterator[ReadBlock]:
    for row in rows:
        header = Header(row[0], row[1], row[2], row[3], row[4], bytes(row[5]), bytes(row[6]))
        yield ReadBlock(header, bytes(row[7]), _read_content_hash(reading, header.chain, header.number))


def _read_content_hash(connection: psycopg.Connection[TupleRow], chain: int, number: int) -> bytes:
    """The same rows in the same order give the same bytes."""
    orders = {
        "passages": "row_number",
        "postings": "entry_number, amount_fen, account_id",
        "balance_changes": "account_id, business_day",
    }
    contents = []
    for table, columns in _TABLES.items():
        query = (
            f"COPY (SELECT {columns} FROM billing.{table}"  # noqa: S608 – names of ours, and integers
            f" WHERE chain = {chain:d} AND block_number = {number:d} ORDER BY {orders[table]})"
            " TO STDOUT (FORMAT binary)"
        )
        with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
            contents.append(b"".join(copy)[len(HEADER) : -len(TRAILER)])
    return _content_hash(contents)


def _content_hash(contents: Iterable[bytes]) -> bytes:
    """Of what a block puts into each table."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).digest()


def _streams(block: Block, chain: int, number: int) -> dict[str, bytes]:
    """What goes into each table, in the order that verification reads."""
    n, k = len(block.bodies), len(block.entries)
    order = np.lexsort((block.posting_accounts, block.amounts_fen, block.entries))
    changed = np.lexsort((block.change_days, block.change_accounts))
    passages = fixed_rows(
        [
            block.keys, block.digests, np.full(n, chain, np.int32), np.full(n, number, np.int64),
            np.arange(n, dtype=np.int32), block.debtors, block.days[:n], block.exit_times_ms, block.payables_fen,
            block.charges_fen,
        ],
        fields_more=1,
    )  # fmt: skip
    postings = fixed_rows(
        [
            np.full(k, chain, np.int32), np.full(k, number, np.int64), block.entries[order],
            block.posting_accounts[order], block.days[block.entries[order]], block.amounts_fen[order],
        ]
    )  # fmt: skip
    j = len(changed)
    changes = fixed_rows(
        [
            block.change_accounts[changed], block.change_days[changed], np.full(j, block.post_time_ms, np.int64),
            np.full(j, chain, np.int32), np.full(j, number, np.int64), block.change_amounts_fen[changed],
        ]
    )  # fmt: skip
    return {
        "passages": with_bodies(passages, block.bodies),
        "postings": postings.tobytes(),
        "balance_changes": changes.tobytes(),
    }


def _copy(table: str) -> bytes:
    return f"COPY billing.{table} ({_TABLES[table]}) FROM STDIN (FORMAT binary)".encode()


def _split(keys: NDArray[np.void]) -> list[bytes]:
    whole = keys.tobytes()
    return [whole[n : n + 16] for n in range(0, len(whole), 16)]


def _array(keys: Sequence[bytes]) -> str:
    """Keys as PostgreSQL writes an array, in one piece: a list would be quoted key by key."""
    return f"{{{','.join([key.hex() for key in keys])}}}"


@contextmanager
def _connected(pool: Pool) -> Iterator[psycopg.Connection[TupleRow]]:
    with unavailable_when_away(), pool.connection() as connection:
        yield connection
