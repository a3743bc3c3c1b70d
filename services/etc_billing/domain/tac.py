"""TACs, the codes by which a card vouches for what it paid: what one covers, and who can say whether it is right.

A TAC covers amount, terminal, counter and time, but not the plate, the interval or the passage.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.passages import Bytes, Int64s

MESSAGE_SIZE, FACTOR_SIZE, TERMINAL_SIZE = 22, 8, 6
NO_TAC = 0  # what failed trades send: there is no TAC
_SHANGHAI_MS = 8 * 3_600_000
_TIME_MS_END = 253_402_272_000_000  # year 10000 in Shanghai
_DIGITS = 10 ** np.arange(13, -1, -1)


class Algorithm(IntEnum):
    """How a TAC was made."""

    TRIPLE_DES = 1
    SM4 = 2


@dataclass(frozen=True, slots=True)
class TacFields:
    """What TACs cover, columns of shape (n,). `transaction_types`: 9 is compound consumption. `terminal_ids`: (n, 6)
    bytes of the PSAM. `terminal_numbers`: the counter of its transactions."""

    amounts_fen: Int64s
    transaction_types: Bytes
    terminal_ids: Bytes
    terminal_numbers: Int64s
    times_ms: Int64s

    def __len__(self) -> int:
        return len(self.amounts_fen)


@dataclass(frozen=True, slots=True)
class Tacs:
    """TACs as they were sent, (n,), and of the keys behind them which ones. `factors`: (n, k, 8) bytes, by which the
    master key became that of the card: the card's own number last."""

    codes: NDArray[np.uint32]
    algorithms: Bytes
    key_versions: Bytes
    factors: Bytes

    def __len__(self) -> int:
        return len(self.codes)


class TacVerifier(Protocol):
    """Who holds the keys: a store in memory for tests, a hardware security module (HSM) in production."""

    def verify(self, fields: TacFields, tacs: Tacs) -> NDArray[np.bool_]:
        """Whether each TAC is that of its fields, (n,). What is not `checkable`, or made by a key that is not held, is
        not. Raises Unavailable when the keys cannot be used now."""


def message(fields: TacFields) -> Bytes:
    """What each TAC is made over, (n, 22) bytes: amount 4, type 1, terminal 6, its counter 4, date 4 and time 3 as
    decimal digits, in Shanghai. What `checkable` refuses gives a message of no meaning."""
    made = np.empty((len(fields), MESSAGE_SIZE), np.uint8)
    made[:, 0:4] = _big_endian(fields.amounts_fen)
    made[:, 4] = fields.transaction_types
    made[:, 5:11] = fields.terminal_ids
    made[:, 11:15] = _big_endian(fields.terminal_numbers)
    digits = (_local_times(fields.times_ms)[:, None] // _DIGITS % 10).astype(np.uint8)
    made[:, 15:22] = digits[:, ::2] << 4 | digits[:, 1::2]
    return made


def checkable(fields: TacFields, tacs: Tacs) -> NDArray[np.bool_]:
    """Whether there is a TAC to check, (n,): one that is not zero, by an algorithm we know, of numbers that fit."""
    found: NDArray[np.bool_] = (
        (tacs.codes != NO_TAC)
        & np.isin(tacs.algorithms, list(Algorithm))
        & (fields.amounts_fen >= 0)
        & (fields.amounts_fen >> 32 == 0)
        & (fields.terminal_numbers >= 0)
        & (fields.terminal_numbers >> 32 == 0)
        & (fields.times_ms >= 0)
        & (fields.times_ms < _TIME_MS_END)
    )
    return found


def packed(texts: NDArray[np.bytes_]) -> Bytes:
    """Hexadecimal (so also decimal) digits as bytes, two digits each: (n,) S2k to (n, k). What else a text holds gives
    bytes of no meaning: check it by its layout first."""
    codes = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.dtype.itemsize)
    values: Bytes = np.where(codes >= ord("A"), (codes & 0xDF) - 55, codes & 0xF).astype(np.uint8)
    pairs: Bytes = values[:, ::2] << np.uint8(4) | values[:, 1::2] & np.uint8(0xF)
    return pairs


def _big_endian(numbers: Int64s) -> Bytes:
    """The low 4 bytes of numbers, (n, 4)."""
    return numbers.astype(">u4").view(np.uint8).reshape(len(numbers), 4)


def _local_times(times_ms: Int64s) -> Int64s:
    """yyyyMMddHHmmss in Shanghai, as numbers, (n,)."""
    seconds = ((times_ms + _SHANGHAI_MS) // 1000).astype("datetime64[s]")
    days, months, years = (seconds.astype(f"datetime64[{unit}]") for unit in "DMY")
    date: Int64s = (years.astype(np.int64) + 1970) * 10_000 + ((months - years).astype(np.int64) + 1) * 100
    date += (days - months).astype(np.int64) + 1
    second: Int64s = (seconds - days).astype(np.int64)
    return date * 1_000_000 + second // 3600 * 10_000 + second // 60 % 60 * 100 + second % 60
