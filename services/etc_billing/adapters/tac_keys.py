"""TAC keys in the memory of this process, from a file that others cannot read: for tests and trials.

In production the keys never leave a hardware security module, which answers the same Protocol (domain/tac.py).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from numpy.typing import NDArray

from common.errors import InvalidInput, Violation
from services.etc_billing.domain.tac import FACTOR_SIZE, Algorithm, TacFields, Tacs, checkable, message

CODE_SIZE = 4
FILE_BYTES_MAX = 1 << 20
DERIVED_KEPT = 1 << 16  # keys of cards, about 20 MB
FACTOR_COUNTS = (1, 2, 3)
_OTHERS = 0o027  # a group may read, as it has to where a secret is mounted for another user; nobody else may
_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_FIELDS = {"algorithm", "version", "key", "factors"}


class KeyName(NamedTuple):
    """Which key."""

    algorithm: Algorithm
    version: int


class MasterKey(NamedTuple):
    """A key and by how many factors it becomes that of a card: the last ones of those that a record has."""

    key: bytes
    factor_count: int

    def __repr__(self) -> str:
        return f"MasterKey(factor_count={self.factor_count})"


class TacKeys:
    """A TacVerifier whose keys are in memory."""

    def __init__(self, keys: Mapping[KeyName, MasterKey]) -> None:
        self._keys = dict(keys)
        self._derived = lru_cache(maxsize=DERIVED_KEPT)(self._derive)

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file {"keys": [{"algorithm": 1, "version": 1, "key": 32 hexadecimal digits, "factors": 2}]}. Raises
        InvalidInput, which never tells what the file holds."""
        return cls(_parsed(_read(path)))

    def verify(self, fields: TacFields, tacs: Tacs) -> NDArray[np.bool_]:
        """Whether each TAC is that of its fields, (n,). What is not checkable, or of a key or factors that are not
        there, is not."""
        found, messages = np.zeros(len(fields), np.bool_), message(fields)
        for row in np.flatnonzero(checkable(fields, tacs)).tolist():  # each row has a key of its own
            name = KeyName(Algorithm(tacs.algorithms[row]), int(tacs.key_versions[row]))
            master = self._keys.get(name)
            if master is None or master.factor_count > tacs.factors.shape[1]:
                continue
            factors = tacs.factors[row, -master.factor_count :].tobytes()
            code = _code(name.algorithm, self._derived(name, factors), messages[row].tobytes())
            found[row] = int.from_bytes(code, "big") == tacs.codes[row]
        return found

    def _derive(self, name: KeyName, factors: bytes) -> bytes:
        """The key that the master key becomes by factors, one after the other."""
        if not factors:
            return self._keys[name].key
        return _diversified(name.algorithm, self._derived(name, factors[:-FACTOR_SIZE]), factors[-FACTOR_SIZE:])


def _diversified(algorithm: Algorithm, key: bytes, factor: bytes) -> bytes:
    """The factor and its complement, encrypted: as two blocks of 3DES, or (no source found) as one of SM4."""
    block = factor + bytes(byte ^ 0xFF for byte in factor)
    cipher = TripleDES(key + key[:8]) if algorithm == Algorithm.TRIPLE_DES else SM4(key)
    return Cipher(cipher, ECB()).encryptor().update(block)  # noqa: S305 – how cards derive keys


def _code(algorithm: Algorithm, key: bytes, text: bytes) -> bytes:
    """The TAC over a message. 3DES keys are folded to 8 bytes, for single DES; SM4 keys (no source found) are not."""
    if algorithm == Algorithm.TRIPLE_DES:
        folded = bytes(left ^ right for left, right in zip(key[:8], key[8:], strict=True))
        return _mac(TripleDES(folded * 3), 8, text)
    return _mac(SM4(key), 16, text)


def _mac(cipher: TripleDES | SM4, block_size: int, text: bytes) -> bytes:
    """CBC-MAC from a zero block over the text, 80 and zeros; the first 4 bytes."""
    padded = (text + b"\x80").ljust(-(-(len(text) + 1) // block_size) * block_size, b"\x00")
    return Cipher(cipher, CBC(bytes(block_size))).encryptor().update(padded)[-block_size:][:CODE_SIZE]


def _read(path: Path) -> bytes:
    """The file, if it is kept as secrets are."""
    if any((folder / ".git").exists() for folder in path.resolve().parents):
        raise _refused(f"{path} is in a repository; keep keys out of it")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise _refused(f"{path} can be read by others; chmod it to 600")
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _refused(f"{path} cannot be read: {error.strerror}") from error
    if len(text) > FILE_BYTES_MAX:
        raise _refused(f"{path} is over {FILE_BYTES_MAX >> 20} MiB")
    return text


def _parsed(text: bytes) -> dict[KeyName, MasterKey]:
    try:
        rows = json.loads(text)["keys"]
    except (ValueError, KeyError, TypeError):
        raise _refused('the file is no JSON object with "keys"') from None
    found: dict[KeyName, MasterKey] = {}
    for number, row in enumerate(rows if isinstance(rows, list) else [None], 1):
        name, key = _parsed_key(row, number)
        if name in found:
            raise _refused(f"key {number}: there is one of this algorithm and version already")
        found[name] = key
    return found


def _parsed_key(row: Any, number: int) -> tuple[KeyName, MasterKey]:
    if not _usable(row):
        raise _refused(
            f"key {number}: needs an algorithm (1: 3DES, 2: SM4), a version from 0 to 255, a key of 32 hexadecimal"
            " digits and 1 to 3 factors, nothing else"
        )
    name = KeyName(Algorithm(row["algorithm"]), int(row["version"]))
    return name, MasterKey(bytes.fromhex(row["key"]), int(row["factors"]))


def _usable(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == _FIELDS
        and row["algorithm"] in list(Algorithm)
        and row["version"] in range(256)
        and row["factors"] in FACTOR_COUNTS
        and isinstance(row["key"], str)
        and _KEY.fullmatch(row["key"]) is not None
    )


def _refused(why: str) -> InvalidInput:
    return InvalidInput(Violation("tac_keys", why), reason="TAC_KEYS_UNUSABLE")
