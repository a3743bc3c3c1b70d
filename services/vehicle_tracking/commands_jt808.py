"""`xiangtong jt808`: frames read for whoever debugs a terminal, by the decoder that runs live."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from services.vehicle_tracking.terminals.jt808 import frames, parts
from services.vehicle_tracking.terminals.jt808.answers import enclosed
from services.vehicle_tracking.terminals.jt808.columns import Decoded
from services.vehicle_tracking.terminals.jt808.description import frame_described
from services.vehicle_tracking.terminals.jt808.explanation import explained
from services.vehicle_tracking.terminals.jt808.parts import Parts

LINE_CHARACTERS_MAX = 4 * 1024 * 1024  # a line is held in memory; no frame needs more than 4,184
STDIN = Path("-")

Report = dict[str, object]

app = typer.Typer(help="Tools for JT/T 808 terminals.", no_args_is_help=True)
_ESCAPED = re.compile(rb"[\x7d\x7e]")
_FILLING = re.compile(r"[\s:,_-]|(?<![0-9a-fA-F])0[xX]")


@app.callback()
def tools() -> None:
    """Tools for JT/T 808 terminals."""


@app.command("decode")
def decode(
    file: Annotated[
        Path | None, typer.Argument(help="lines of hex digits; without it, or with -, what comes in on stdin")
    ] = None,
) -> None:
    """Read frames as hex lines and print one JSON line for each. 逐行解析十六进制报文，每帧输出一行JSON。

    \b
    A line holds one or several frames; spaces, colons, commas and 0x between the digits are skipped, empty lines and
    lines that begin with # too. A line that does not begin with 7e is taken as one frame without its delimiters; one
    whose escapes were undone already is read too, with a note.

    \b
    Each JSON line has `line` (of the input) and either the header, the fields of the body by their names in their
    units, additional items (an unknown one with its raw bytes), and parts, or `rejections`: the reason, the byte
    that is wrong (`offset`, counted from the first byte behind the delimiter) and what was wrong with it.
    Parts are put together: the message of all parts follows the last of them with `joined`; what is missing at the
    end of the input is told there.

    \b
    Exit code 0: everything could be used; 1: something was rejected or is missing.

    \b
    xiangtong jt808 decode capture.txt
    echo 7e0002000001390000111100013b7e | xiangtong jt808 decode
    """
    good = True
    with _opened(file) as lines:
        for report in reports(lines):
            good &= not {"rejections", "missing_parts"} & report.keys()
            typer.echo(json.dumps(report, ensure_ascii=False))
    raise typer.Exit(0 if good else 1)


def _opened(file: Path | None) -> AbstractContextManager[Iterable[str]]:
    """Lines of text, with a byte order mark taken off; bytes that are no text are told as no hex."""
    if file is None or file == STDIN:
        return nullcontext(typer.get_text_stream("stdin", encoding="utf-8-sig", errors="replace"))
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file} 文件不存在")
    return file.open(encoding="utf-8-sig", errors="replace")


def reports(lines: Iterable[str]) -> Iterator[Report]:
    """What is printed for each line, and at last for messages that lack parts."""
    waiting = Parts()
    for number, line in enumerate(lines, 1):
        text = _FILLING.sub("", line)
        if not text or line.lstrip().startswith("#"):
            continue
        flaw = _hex_flaw(line, text)
        if flaw:
            yield {"line": number, "rejections": [{"reason": "NOT_HEX", "words": flaw}]}
            continue
        octets = bytes.fromhex(text)
        stream = octets if octets.startswith(b"\x7e") else b"\x7e" + octets.removesuffix(b"\x7e") + b"\x7e"
        decoded, note = frames.decode_one(stream), {}
        if not len(decoded.frames) and _escapes_undone(stream):
            stream, note = enclosed(stream[1:-2]), {"note": "the escapes of this line had been undone 该行已去转义"}
            decoded = frames.decode_one(stream)
        for report in [*_frame_reports(decoded, stream), *_rest_report(decoded, stream)]:
            yield {"line": number} | report | note
        joined = parts.joined(waiting, _parts(decoded), now_s=0)
        waiting = joined.parts
        yield from ({"line": number} | _whole_report(whole) for whole in joined.whole)
        yield from ({"line": number} | _dropped_report(dropped) for dropped in joined.dropped)
    yield from map(_missing_report, parts.overdue(waiting, now_s=parts.RESEND_AFTER_S).missing)


def _hex_flaw(line: str, text: str) -> str:
    """What is wrong with the digits; empty when nothing is."""
    if len(line) > LINE_CHARACTERS_MAX:
        return f"the line is longer than {LINE_CHARACTERS_MAX} characters 行过长"
    wrong = re.search(r"[^0-9a-fA-F]", text)
    if wrong:
        column = line.index(wrong.group()) + 1
        return f"{wrong.group()!r} at column {column} is no hex digit 第{column}列不是十六进制数字"
    return "an odd number of hex digits: one is missing 十六进制位数为奇数" if len(text) % 2 else ""


def _escapes_undone(stream: bytes) -> bool:
    """Whether this is one frame as a program shows it that has undone the escapes already."""
    content = stream[1:-1]
    return stream.endswith(b"\x7e") and bool(_ESCAPED.search(content)) and reduce(xor, content) == 0


def _frame_reports(decoded: Decoded, stream: bytes) -> Iterator[Report]:
    """One for each complete frame, in the order of the stream."""
    rows = {int(offset): row for row, offset in enumerate(decoded.frames["offset"])}
    rejected: dict[int, list[Report]] = {}
    for index, rejection in enumerate(decoded.rejections):
        reason, offset, words = explained(decoded, index, stream)
        report: Report = {"reason": reason.name, "offset": offset, "words": words}
        rejected.setdefault(int(rejection["offset"]), []).append(report)
    for offset in sorted(rows.keys() | rejected.keys()):
        described = frame_described(decoded, rows[offset]) if offset in rows else {}
        flaws: Report = {"rejections": rejected[offset], "raw": _raw(stream, offset)} if offset in rejected else {}
        yield described | flaws


def _rest_report(decoded: Decoded, stream: bytes) -> Iterator[Report]:
    rest = stream[int(decoded.rest_starts[0]) :]
    if rest or not (decoded.frame_count or len(decoded.rejections)):
        words = "there is no closing 7e 缺少结束标识" if rest else "there is nothing between the delimiters 空帧"
        yield {"rejections": [{"reason": "INCOMPLETE", "words": words}], "raw": rest.hex()}


def _parts(decoded: Decoded) -> Iterator[parts.Part]:
    """The good sub-packages; one phone is one link."""
    chosen = (decoded.frames["part_count"] > 0) & (decoded.frames["reason"] == 0)
    for row in np.flatnonzero(chosen).tolist():
        yield parts.part(decoded, row, link=int(decoded.frames[row]["phone"]))


def _whole_report(whole: parts.Whole) -> Report:
    decoded = frames.decode_bodies(np.array([whole.header]), [whole.body])
    flaws = [explained(decoded, index, b"") for index in range(len(decoded.rejections))]
    rejections = [{"reason": reason.name, "offset": offset, "words": words} for reason, offset, words in flaws]
    return {"joined": True, **frame_described(decoded, 0), **({"rejections": rejections} if rejections else {})}


def _dropped_report(dropped: parts.Dropped) -> Report:
    words = f"{dropped.part_count} parts of message 0x{dropped.message_id:04x} go beyond the bounds 分包超出限制"
    return {"phone": str(dropped.link), "rejections": [{"reason": dropped.reason.name, "words": words}]}


def _missing_report(missing: parts.Missing) -> Report:
    return {
        "message_id": f"0x{int(missing.header['message_id']):04x}",
        "phone": str(missing.link),
        "first_serial": missing.first_serial,
        "missing_parts": missing.part_indexes,
    }


def _raw(stream: bytes, offset: int) -> str:
    end = stream.find(b"\x7e", offset)
    return stream[offset : end if end >= 0 else len(stream)].hex()
