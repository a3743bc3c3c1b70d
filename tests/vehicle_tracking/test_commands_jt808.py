"""`xiangtong jt808 decode` says what a frame holds, or what is wrong with it and where."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.vehicle_tracking.commands_jt808 import app, reports
from simulation import frames
from simulation.frames import Identity
from tests.faults.jt808_fuzzer import corpus, mutant

TERMINAL = Identity("13900001111", "湘A12345", 2)
LOCATION_2019 = (
    "7e020040370100000014412345678901020400000002000400030260f55c06f015bc00340369010e24051708301501040012d687"
    "030203661105040000006530011f31010e0602800cba7e"
)


def read(*lines: str) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(report)) for report in reports(lines)]


def test_every_field_has_its_name_and_its_unit() -> None:
    (report,) = read(LOCATION_2019)
    location = report["location"]
    assert (report["edition"], report["phone"], report["serial"]) == ("2019", "14412345678901", 516)
    assert location["fix_time"] == "2024-05-17T08:30:15+08:00"
    assert (location["longitude_deg"], location["latitude_deg"]) == (116.3975, 39.9087)
    assert (location["speed_kmh"], location["heading_deg"], location["altitude_m"]) == (87.3, 270, 52)
    assert location["alarms"] == ["overspeed 超速报警"]
    assert location["status"] == ["ACC on ACC开", "positioned 定位", "GPS 使用GPS"]
    values = {item["id"]: item for item in location["items"]}
    assert values["0x01"]["distance_km"] == 123456.7
    assert values["0x06"]["temperature_c"] == -12
    assert values["0x11"]["area_id"] == 101


def test_an_unknown_item_is_kept_raw_and_a_stray_byte_is_told() -> None:
    base = bytes.fromhex("00000000000000030260f55c06f015bc00000000000024051708301 5".replace(" ", ""))
    (report,) = read(frames.frame(TERMINAL, 0x0200, 1, base + b"\xe1\x02\xab\xcd\x01\x03\0\0\0\x99").hex())
    unknown, wrong_length = report["location"]["items"]
    assert (unknown["raw"], unknown["name"]) == ("abcd", "unknown, kept raw 未知，原样保留")
    assert "no length" in wrong_length["note"]
    assert report["location"]["stray_bytes"] == "99"


def test_a_registration_is_told_in_full() -> None:
    (report,) = read(frames.frame(TERMINAL, 0x0100, 1, frames.register_body(TERMINAL)).hex())
    assert report["registration"] == {
        "edition": 2013, "region_code": "430100", "maker": "XTSIM", "model": "SIM-1", "terminal_number": "0001111",
        "plate_colour": 2, "plate": "湘A12345", "vin": "",
    }  # fmt: skip


def test_answers_of_the_platform_are_told_too() -> None:
    answer, register, resend = read(
        frames.frame(TERMINAL, 0x8001, 1, b"\0\7\x02\0\0").hex(),
        frames.frame(TERMINAL, 0x8100, 1, b"\0\7\0CODE").hex(),
        frames.frame(TERMINAL, 0x8003, 1, b"\0\7\x02\0\1\0\3").hex(),
    )
    assert (answer["answered_serial"], answer["answered_id"], answer["result"]) == (7, "0x0200", "ok 成功/确认")
    assert (register["result"], register["auth_code"]) == ("ok 成功", "CODE")
    assert (resend["first_serial"], resend["part_indexes"]) == (7, [1, 3])


def test_a_rejection_names_the_byte_and_what_is_wrong_with_it() -> None:
    (report,) = read("7e0002000001390000111100013c7e")
    assert report["rejections"] == [
        {"reason": "CHECKSUM", "offset": 12, "words": "the check byte is 3c, header and body give 3b 校验码错误"}
    ]


def test_a_line_without_delimiters_is_one_frame_and_fillings_are_skipped() -> None:
    bare, filled = read("0002000001390000111100013b", "0x7e, 00:02 00-00 01 39 00 00 11 11 00 01 3b 7e")
    assert bare["message_id"] == filled["message_id"] == "0x0002"


def test_a_line_whose_escapes_were_undone_is_read_with_a_note() -> None:
    wire = bytes.fromhex("7e01020009013900001111007d02415554482d37443745687e")
    (report,) = read(wire.replace(b"\x7d\x02", b"\x7e").hex())
    assert (report["authentication"]["code"], report["serial"]) == ("AUTH-7D7E", 0x7E)
    assert "undone" in report["note"]
    assert "note" not in read(wire.hex())[0]


def test_what_is_no_frame_is_told_with_its_place() -> None:
    wrong, odd, open_end, empty = read("7e00zz", "7e0", "7e0002", "7e7e")
    assert wrong["rejections"][0]["words"].startswith("'z' at column 5")
    assert "odd number" in odd["rejections"][0]["words"]
    assert "no closing 7e" in open_end["rejections"][0]["words"]
    assert "nothing between" in empty["rejections"][0]["words"]


def test_parts_are_put_together_and_missing_ones_are_told() -> None:
    fix = frames.Fix(1715905815000, 1163975000, 399087000, 873, 270, 52, 2, 3, 1234567)
    body = frames.batch_body([fix] * 4, 1)
    first, second = (
        frames.frame(TERMINAL, 0x0704, 7 + index, piece, part=(2, index + 1)).hex()
        for index, piece in enumerate((body[:100], body[100:]))
    )
    *_, whole = read(first, second)
    assert (whole["line"], whole["joined"], len(whole["locations"])) == (2, True, 4)
    assert whole["batch_kind"] == "blind area 盲区补报"
    *_, missing = read(second)
    assert (missing["first_serial"], missing["missing_parts"]) == (7, [1])


def test_the_command_reads_files_and_the_input_and_fails_on_rejections(tmp_path: Path) -> None:
    file = tmp_path / "capture.txt"
    file.write_text(f"# a comment\n\n{LOCATION_2019}\n", "utf-8")
    good = CliRunner().invoke(app, ["decode", str(file)])
    assert (good.exit_code, len(good.output.splitlines())) == (0, 1), good.output
    bad = CliRunner().invoke(app, ["decode"], input="7e00\n")
    assert (bad.exit_code, json.loads(bad.output)["line"]) == (1, 1)


def test_a_file_that_is_not_there_is_told() -> None:
    out = CliRunner().invoke(app, ["decode", "nowhere.txt"])
    assert (out.exit_code, "there is no file nowhere.txt" in out.output) == (2, True)


def test_the_help_says_what_comes_out() -> None:
    out = CliRunner().invoke(app, ["decode", "--help"]).output
    assert "rejections" in out and "joined" in out and "Exit code" in out


def test_a_byte_order_mark_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "capture.txt"
    file.write_bytes(b"\xef\xbb\xbf" + LOCATION_2019.encode() + b"\r\n\xff\xfe\n")
    for arguments, given_input in ((["decode", str(file)], None), (["decode", "-"], file.read_bytes())):
        out = CliRunner().invoke(app, arguments, input=given_input)
        good, bad = (json.loads(line) for line in out.stdout.splitlines())
        assert (good["serial"], bad["rejections"][0]["reason"], out.exit_code) == (516, "NOT_HEX", 1)


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(max_size=40), st.binary(max_size=90).map(bytes.hex)), max_size=5))
def test_no_line_is_a_crash(lines: list[str]) -> None:
    numbers = {report["line"] for report in read(*lines) if "line" in report}
    filled = {number for number, line in enumerate(lines, 1) if line.strip(" \t:,_-") and line.isascii()}
    assert {number for number in filled if lines[number - 1].isalnum()} <= numbers


def test_no_mutant_is_a_crash() -> None:
    rng = random.Random(808)
    contents = corpus(rng)
    lines = [mutant(rng, contents).hex() for _ in range(3000)]
    told = {report["line"] for report in read(*lines) if "line" in report}
    assert told == {number for number, line in enumerate(lines, 1) if line}
