"""What becomes of the frames of a tick: which positions are kept, what is answered, which links must end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.metrics import count_rejections
from services.vehicle_tracking.adapters.access_links import Ended, Link, Links, Taken
from services.vehicle_tracking.terminals.jt808.answers import BAD_MESSAGE, FAILED, NO_ANSWER, OK, UNSUPPORTED
from services.vehicle_tracking.terminals.jt808.columns import Decoded, Reason, Table
from services.vehicle_tracking.terminals.jt808.logins import AUTHENTICATE, HEARTBEAT, LOG_OUT, REGISTER

BAD_FRAMES_MAX = 20  # in a row: this is no terminal, or nothing that it says can be used
UNFRAMED_BYTES_MAX = 8192  # without a good frame; the longest good one takes 2,092
JUNK_BYTES_MAX = 256  # before the first delimiter
REFUSALS_MAX = 64  # frames refused since the last log-in; bounds guesses of codes
FOREIGN_STARTS = (
    *(b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"CONNECT ", b"PRI * "),
    *(b"SSH-", b"EHLO ", b"\x16\x03"),  # the last: TLS
)

TERMINAL_ANSWER, LOCATION, LOCATION_ANSWER, LOCATION_BATCH = 0x0001, 0x0200, 0x0201, 0x0704
MESSAGES = {
    TERMINAL_ANSWER: "answer",
    HEARTBEAT: "heartbeat",
    LOG_OUT: "log_out",
    REGISTER: "register",
    AUTHENTICATE: "authenticate",
    LOCATION: "location",
    LOCATION_ANSWER: "location_answer",
    LOCATION_BATCH: "location_batch",
}
OTHER_MESSAGE = "other"  # labels are few, whatever ids terminals think of


@dataclass(slots=True)
class Tick:
    """What came in one tick. `phones`, `vehicle_ids`: (n,) whose log-in each frame came under; 0: nobody's."""

    taken: Taken
    decoded: Decoded
    phones: NDArray[np.int64]
    vehicle_ids: NDArray[np.int64]
    received_time_ms: int
    start_s: float

    def link(self, frame: int) -> Link:
        """The link that a frame came over."""
        return self.taken.links[int(self.decoded.frames["link"][frame])]

    def set_log_in(self, frame: int, *, phone: int, vehicle_id: int) -> None:
        """Say whose log-in the frames behind this one, on its link, come under. They stand beside each other."""
        links = self.decoded.frames["link"]
        behind = slice(frame + 1, int(np.searchsorted(links, links[frame], side="right")))
        self.phones[behind], self.vehicle_ids[behind] = phone, vehicle_id

    def logged_in(self, frame: int) -> bool:
        """Whether a frame came under the log-in of the terminal that it names."""
        phone = int(self.decoded.frames["phone"][frame])
        return phone != 0 and int(self.phones[frame]) == phone

    def count(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of the chosen frames, (n,), each link sent: (m,)."""
        return np.bincount(self.decoded.frames["link"][chosen], minlength=len(self.taken.links))


class Judgement(NamedTuple):
    """`results`: (n,) of each frame's answer. `durable`: (n,), whose positions are kept and whose answer waits for
    that. `refused`: (n,), sent without a log-in or in another terminal's name."""

    results: NDArray[np.int8]
    durable: NDArray[np.bool_]
    refused: NDArray[np.bool_]


def one_by_one(frames: Table) -> NDArray[np.bool_]:
    """Which frames are seen to one by one, (n,): registrations, log-ins, log-outs and parts of messages."""
    ids = frames["message_id"]
    found: NDArray[np.bool_] = (ids == REGISTER) | (ids == AUTHENTICATE) | (ids == LOG_OUT) | (frames["part_count"] > 0)
    return found


def judgement(frames: Table, phones: NDArray[np.int64], separate: NDArray[np.bool_]) -> Judgement:
    """What becomes of frames, (n,). `separate`: those that are seen to one by one."""
    ids, reasons = frames["message_id"], frames["reason"]
    own = (phones == frames["phone"]) & (phones != 0)
    located = (ids == LOCATION) | (ids == LOCATION_BATCH)
    results = np.full(len(frames), UNSUPPORTED, np.int8)
    results[located | (ids == HEARTBEAT)] = OK
    results[reasons != 0] = BAD_MESSAGE
    results[reasons == Reason.ENCRYPTED] = UNSUPPORTED
    refused = ~own & ~separate & (ids != HEARTBEAT)
    results[refused] = FAILED
    results[separate | (ids == TERMINAL_ANSWER) | (ids == LOCATION_ANSWER)] = NO_ANSWER
    durable = own & ~separate & (located | (ids == LOCATION_ANSWER)) & (frames["location_count"] > 0)
    return Judgement(results, durable, refused)


def message_counts(frames: Table) -> dict[str, int]:
    """How many frames of each kind of message."""
    ids = frames["message_id"]
    found = {name: int(np.count_nonzero(ids == message_id)) for message_id, name in MESSAGES.items()}
    found[OTHER_MESSAGE] = len(ids) - sum(found.values())
    return {name: count for name, count in found.items() if count}


def end_unruly(links: Links, tick: Tick, judged: Judgement) -> None:
    """End links that send junk, another protocol, nothing but damaged frames, or much without a log-in."""
    taken, decoded, columns = tick.taken, tick.decoded, links.rows
    rows = taken.rows
    good = np.bincount(decoded.frames["link"], minlength=len(rows)) > 0
    links.hear(rows[good])
    bad = decoded.rejections["link"][decoded.rejections["reason"] < Reason.ENCRYPTED]
    bad_frames = np.where(good, 0, columns["bad_frames"][rows] + np.bincount(bad, minlength=len(rows)))
    unframed = np.where(good, 0, columns["unframed_bytes"][rows] + taken.fresh_counts)
    refusals = columns["refusals"][rows] + tick.count(judged.refused)
    columns["bad_frames"][rows], columns["unframed_bytes"][rows] = bad_frames, unframed
    columns["refusals"][rows] = refusals
    if good.all() and not judged.refused.any():
        return
    count_rejections("terminal", {"NOT_LOGGED_IN": int(judged.refused.sum())})
    unframed_max = np.where(columns["opened"][rows], UNFRAMED_BYTES_MAX, JUNK_BYTES_MAX)
    for chosen, why in (
        (_foreign(taken, ~good & (unframed == taken.fresh_counts)), Ended.FOREIGN),
        (unframed > unframed_max, Ended.JUNK),
        (bad_frames > BAD_FRAMES_MAX, Ended.BAD_FRAMES),
        (refusals > REFUSALS_MAX, Ended.REFUSED),
    ):
        for index in np.flatnonzero(chosen).tolist():
            links.end(taken.links[index], why)


def _foreign(taken: Taken, suspect: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the suspects, (m,), begin as another protocol does."""
    found = np.zeros(len(suspect), np.bool_)
    for index in np.flatnonzero(suspect).tolist():
        found[index] = taken.stream.startswith(FOREIGN_STARTS, int(taken.ends[index - 1]) if index else 0)
    return found
