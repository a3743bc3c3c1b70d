"""TACs recomputed by hand, block by block, with made-up keys; and how the file of keys has to be kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput
from services.etc_billing.adapters.tac_keys import KeyName, MasterKey, TacKeys
from services.etc_billing.domain.tac import Algorithm, TacFields, Tacs, TacVerifier, message

DES_KEY, SM4_KEY = bytes(range(0x10, 0x20)), bytes(range(0x40, 0x50))
ISSUER, CARD = b"issuer43", bytes.fromhex("2012345678901234")
FACTORS = (b"province", ISSUER, CARD)
KEYS = {
    KeyName(Algorithm.TRIPLE_DES, 1): MasterKey(DES_KEY, 2),
    KeyName(Algorithm.SM4, 1): MasterKey(SM4_KEY, 2),
}
Block = Callable[[bytes], bytes]


def des(key: bytes) -> Block:
    """Single DES of one block: 3DES with one key three times."""
    return lambda block: Cipher(TripleDES(key * 3), ECB()).encryptor().update(block)


def triple_des(key: bytes) -> Block:
    """Encrypt with the left half, decrypt with the right, encrypt with the left."""
    return lambda block: des(key[:8])(
        Cipher(TripleDES(key[8:] * 3), ECB()).decryptor().update(des(key[:8])(block))
    )  # fmt: skip


def sm4(key: bytes) -> Block:
    return lambda block: Cipher(SM4(key), ECB()).encryptor().update(block)


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def chained(encrypt: Block, blocks: list[bytes]) -> bytes:
    """The last block of a CBC that begins with zeros."""
    last = bytes(len(blocks[0]))
    for block in blocks:
        last = encrypt(xor(last, block))
    return last


def des_code(text: bytes, factors: tuple[bytes, ...]) -> bytes:
    """Steps 1 to 4 for 22 bytes."""
    key = DES_KEY
    for factor in factors:
        key = triple_des(key)(factor) + triple_des(key)(xor(factor, b"\xff" * 8))
    working = xor(key[:8], key[8:])
    return chained(des(working), [text[:8], text[8:16], text[16:] + b"\x80\x00"])[:4]


def sm4_code(text: bytes, factors: tuple[bytes, ...]) -> bytes:
    key = SM4_KEY
    for factor in factors:
        key = sm4(key)(factor + xor(factor, b"\xff" * 8))
    return chained(sm4(key), [text[:16], text[16:] + b"\x80" + bytes(9)])[:4]


CODES = {Algorithm.TRIPLE_DES: des_code, Algorithm.SM4: sm4_code}


def fields(count: int = 1) -> TacFields:
    rows = np.arange(count, dtype=np.int64)
    return TacFields(
        8810 + rows,
        np.full(count, 9, np.uint8),
        np.full((count, 6), 0x43, np.uint8),
        7 + rows,
        1_795_573_805_000 + rows,
    )


def tacs(
    made: TacFields, algorithm: Algorithm, *, version: int = 1, factors: tuple[bytes, ...] = (ISSUER, CARD)
) -> Tacs:
    """The TACs of fields, made by hand."""
    codes = [CODES[algorithm](row.tobytes(), factors[-2:]) for row in message(made)]
    return Tacs(
        np.frombuffer(b"".join(codes), ">u4").astype(np.uint32),
        np.full(len(made), algorithm, np.uint8),
        np.full(len(made), version, np.uint8),
        np.tile(np.frombuffer(b"".join(factors), np.uint8).reshape(len(factors), 8), (len(made), 1, 1)),
    )


def changed(of: Any, name: str, flip: int) -> Any:
    """Columns of which one has other bits."""
    columns = {field: getattr(of, field) for field in of.__dataclass_fields__}
    return type(of)(**columns | {name: columns[name] ^ columns[name].dtype.type(flip)})


def test_single_des_and_sm4_are_those_of_their_published_vectors() -> None:
    assert des(bytes.fromhex("133457799bbcdff1"))(bytes.fromhex("0123456789abcdef")).hex() == "85e813540f0ab405"
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert sm4(key)(key).hex() == "681edf34d206965e86b3e94f536e4246"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_tac_made_by_hand_verifies(algorithm: Algorithm) -> None:
    keys: TacVerifier = TacKeys(KEYS)
    made = fields(5)
    assert keys.verify(made, tacs(made, algorithm)).tolist() == [True] * 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_key_is_diversified_by_as_many_factors_as_it_says_the_last_ones(count: int) -> None:
    keys = TacKeys({KeyName(Algorithm.TRIPLE_DES, 1): MasterKey(DES_KEY, count)})
    made = fields()
    code = des_code(message(made)[0].tobytes(), FACTORS[-count:])
    tac = tacs(made, Algorithm.TRIPLE_DES, factors=FACTORS)
    sent = Tacs(np.array([int.from_bytes(code, "big")], np.uint32), tac.algorithms, tac.key_versions, tac.factors)
    assert keys.verify(made, sent).tolist() == [True]
    fewer = Tacs(sent.codes, sent.algorithms, sent.key_versions, sent.factors[:, : count - 1])
    assert keys.verify(made, fewer).tolist() == [False]


@given(
    st.sampled_from(Algorithm),
    st.sampled_from(["amounts_fen", "transaction_types", "terminal_ids", "terminal_numbers"]),
    st.integers(0, 7),
)
def test_any_flipped_bit_of_what_it_covers_makes_a_tac_wrong(algorithm: Algorithm, name: str, bit: int) -> None:
    made = fields()
    assert not TacKeys(KEYS).verify(changed(made, name, 1 << bit), tacs(made, algorithm)).any()


@pytest.mark.parametrize("algorithm", Algorithm)
def test_another_time_code_version_algorithm_or_card_makes_a_tac_wrong(algorithm: Algorithm) -> None:
    made, keys = fields(), TacKeys(KEYS)
    sent = tacs(made, algorithm)
    later = changed(made, "times_ms", 1 << 12)
    assert not keys.verify(later, sent).any()
    for name, flip in (("codes", 1), ("key_versions", 3), ("algorithms", 3), ("factors", 1)):
        assert not keys.verify(made, changed(sent, name, flip)).any()


def test_a_zero_tac_never_verifies_even_where_zero_would_be_right() -> None:
    made, keys = fields(), TacKeys(KEYS)
    sent = tacs(made, Algorithm.TRIPLE_DES)
    zero = Tacs(np.zeros(1, np.uint32), sent.algorithms, sent.key_versions, sent.factors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.etc_billing.adapters.tac_keys._code", lambda *_: bytes(4))
        assert keys.verify(made, zero).tolist() == [False]


def test_rows_are_judged_each_by_itself() -> None:
    made = fields(4)
    sent = tacs(made, Algorithm.TRIPLE_DES)
    sent.codes[1] ^= 1
    sent.key_versions[2] = 9
    assert TacKeys(KEYS).verify(made, sent).tolist() == [True, False, False, True]
    none = fields(0)
    nothing = Tacs(*(getattr(sent, name)[:0] for name in sent.__dataclass_fields__))
    assert TacKeys(KEYS).verify(none, nothing).shape == (0,)


ROW = {"algorithm": 1, "version": 1, "key": DES_KEY.hex(), "factors": 2}


def written(folder: Path, content: object, mode: int = 0o600) -> Path:
    path = folder / "keys.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440])
def test_keys_are_read_from_a_file_that_others_cannot_read(tmp_path: Path, mode: int) -> None:
    keys = TacKeys.read(written(tmp_path, {"keys": [ROW, ROW | {"algorithm": 2, "key": SM4_KEY.hex().upper()}]}, mode))
    made = fields()
    assert all(keys.verify(made, tacs(made, algorithm)).all() for algorithm in Algorithm)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o660, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InvalidInput, match="chmod"):
        TacKeys.read(written(tmp_path, {"keys": [ROW]}, mode))


def test_a_file_inside_a_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep").mkdir()
    with pytest.raises(InvalidInput, match="repository"):
        TacKeys.read(written(tmp_path / "deep", {"keys": [ROW]}))


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        TacKeys.read(tmp_path / "none")
    with pytest.raises(InvalidInput, match="over 1 MiB"):
        TacKeys.read(written(tmp_path, " " * (1 << 20) + "{}"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"keys": 3}',
        {"keys": [3]},
        {"keys": [ROW, ROW]},
        *({"keys": [{name: value for name, value in ROW.items() if name != gone}]} for gone in ROW),
        {"keys": [ROW | {"more": 1}]},
        {"keys": [ROW | {"algorithm": 3}]},
        {"keys": [ROW | {"algorithm": "1"}]},
        {"keys": [ROW | {"version": 256}]},
        {"keys": [ROW | {"version": None}]},
        {"keys": [ROW | {"factors": 0}]},
        {"keys": [ROW | {"factors": 4}]},
        {"keys": [ROW | {"factors": [2]}]},
        {"keys": [ROW | {"key": DES_KEY.hex()[:-1]}]},
        {"keys": [ROW | {"key": DES_KEY.hex() + "00"}]},
        {"keys": [ROW | {"key": 5}]},
    ],
)
def test_a_malformed_file_is_refused_and_what_it_holds_is_never_told(tmp_path: Path, content: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        TacKeys.read(written(tmp_path, content))
    assert refusal.value.reason == "TAC_KEYS_UNUSABLE"
    assert DES_KEY.hex()[:16] not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_no_key_is_ever_printed() -> None:
    assert repr(DES_KEY) not in repr(KEYS) + repr(TacKeys(KEYS))
