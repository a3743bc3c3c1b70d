"""The numbers of the protos as words, and back. A word is the enum's name without its prefix, in lower case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xiangtong.tracking.v1 import alarms_pb2, fences_pb2, registry_service_pb2, tracking_service_pb2

from common.errors import InvalidInput, Violation


class Words:
    """The values of one enum but the unspecified one."""

    def __init__(self, enum: Any, prefix: str) -> None:
        self._numbers = {name.removeprefix(prefix).lower(): int(number) for name, number in enum.items() if number}
        self._words: dict[int, str] = {number: word for word, number in self._numbers.items()}

    def word(self, number: int) -> str:
        """The word for a number; empty for one that is unspecified or unknown."""
        return self._words.get(number, "")

    def words(self, numbers: Iterable[int]) -> list[str]:
        """The word for each number."""
        return [self.word(number) for number in numbers]

    def number(self, word: str, field: str) -> int:
        """The number for a word. Raises InvalidInput that names `field`."""
        if word not in self._numbers:
            raise InvalidInput(Violation(field, f"say one of {', '.join(self._numbers)}"))
        return self._numbers[word]

    def numbers(self, words: Iterable[str], field: str) -> list[int]:
        """The number for each word. Raises InvalidInput that names `field`."""
        return [self.number(word, field) for word in words]


KINDS = Words(registry_service_pb2.VehicleKind, "VEHICLE_KIND_")
LEVELS = Words(fences_pb2.AlarmLevel, "ALARM_LEVEL_")
TRIGGERS = Words(fences_pb2.FenceTrigger, "FENCE_TRIGGER_")
ALARM_STATES = Words(alarms_pb2.AlarmState, "ALARM_STATE_")
FENCE_FORMATS = Words(tracking_service_pb2.FenceFileFormat, "FENCE_FILE_FORMAT_")
