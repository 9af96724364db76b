"""Renders on disk while they wait and run, so that they run again after a crash.

One file ``jobs/j<number>.json`` for each, written whole before the render is queued, removed when
it ends: what is there when an engine begins was cut off by a crash. A client that comes back and
repeats its request is led to the render that goes on, or that has ended meanwhile.
A session may be somebody else's: what is no record of ours is dropped, and said so.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from engine.jobs.record_file import Argument, JobRecord, record_from_json, record_to_json
from engine.paths import read_plain
from osc_bridge.errors import BadSession, WildtrackError
from presets.files import write_whole

ATTEMPTS_MAX = 2
"""A render during which the engine died this many times is not begun again."""
RECORDS_MAX = 256
"""More than the queues hold together; what is beyond it is dropped."""
RECORD_BYTES_MAX = 2**20

_FILE = re.compile(r"j([0-9]{6}|[1-9][0-9]{6,8})\.json")
_LAST_NUMBER = 999_999_999

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a resumed render ended: with a take, with an error, or, without both, cancelled."""

    take: str = ""
    error: WildtrackError | None = None


def _no_take(_token: str) -> str:
    """Know of no take."""
    return ""


class JobRecords:
    """The folder ``jobs/`` of a session. Methods may be called from any thread."""

    def __init__(self, session: Path, told: Callable[[str], None] = _log.warning) -> None:
        """Touch nothing; ``told`` hears a sentence for each record that is dropped."""
        self._folder = session / "jobs"
        self._told = told
        self._lock = threading.Lock()
        self._last = 0
        self._resumed: dict[str, JobRecord] = {}
        self._outcomes: dict[str, Outcome] = {}

    def add(self, record: JobRecord) -> JobRecord:
        """Write a new record, flushed to the disk; return it with its id. OSError passes."""
        with self._lock:
            number, token = self._next_number(), secrets.token_hex(16)
            added = replace(record, id=_id(number), token=token, attempts=0)
            self._write(added)
            return added

    def started(self, record: JobRecord) -> JobRecord:
        """Count an attempt on disk, before the render begins; return the record with it."""
        with self._lock:
            begun = replace(record, attempts=record.attempts + 1)
            self._write(begun)
            return begun

    def done(self, record_id: str, outcome: Outcome | None = None) -> None:
        """Remove the record of a render that has ended, however it did; twice does nothing.

        ``outcome`` of a resumed render is remembered for who asks again. A folder that cannot be
        written is logged only: the render has ended all the same. Nor is the disk waited for: at
        worst, after a power cut, it is rendered once more.
        """
        with self._lock:
            if record_id in self._resumed:
                self._outcomes.setdefault(record_id, outcome or Outcome())
            self._unlink(record_id)

    def pending(self, take_of: Callable[[str], str] = _no_take) -> list[JobRecord]:
        """Return the renders that a crash cut off, oldest first; called once, at the start.

        ``take_of`` returns the take of a token, or "": a crash between a take and the end of its
        record cut off nothing. Damaged records, and those begun ``ATTEMPTS_MAX`` times, are
        removed and told of. OSError of the folder passes.
        """
        with self._lock:
            numbers = sorted(self._numbers())
            self._last = max(self._last, *numbers, 0)
            for number in numbers[RECORDS_MAX:]:
                self._drop(_id(number), f"the allowed range is 0 to {RECORDS_MAX} jobs")
            found = [self._found(_id(number)) for number in numbers[:RECORDS_MAX]]
            kept = [record for record in found if record is not None]
            takes = {record.id: take for record in kept if (take := take_of(record.token))}
            pending = [r for r in kept if r.id not in takes and self._has_attempts(r)]
            for record_id, take in takes.items():
                self._outcomes[record_id] = Outcome(take)
                self._unlink(record_id)
            resumed = {record.id for record in pending} | takes.keys()
            self._resumed = {record.id: record for record in kept if record.id in resumed}
            return pending

    def claim(
        self, request_id: int, address: str, arguments: Sequence[Argument]
    ) -> JobRecord | None:
        """Return the resumed render that this very request began before the crash, or None.

        It may have ended or be about to: attach whoever waits for it, then look at `outcome`. One
        that has ended is returned once: a client may always count its requests from 1.
        """
        asked = (request_id, address, tuple(arguments))
        with self._lock:
            found = next((r for r in self._resumed.values() if r.asked == asked), None)
            if found is not None and found.id in self._outcomes:
                del self._resumed[found.id]
            return found

    def outcome(self, record_id: str) -> Outcome | None:
        """Return how a resumed render ended; None while it goes on and for any other."""
        with self._lock:
            return self._outcomes.get(record_id)

    def _found(self, record_id: str) -> JobRecord | None:
        """Read a record; drop it when it is damaged."""
        try:
            text = read_plain(self._path(record_id), RECORD_BYTES_MAX).decode()
            return record_from_json(text, record_id)
        except (BadSession, OSError, UnicodeDecodeError) as error:
            self._drop(record_id, str(error))
            return None

    def _has_attempts(self, record: JobRecord) -> bool:
        """Whether it may be begun again; else it is dropped."""
        if record.attempts < ATTEMPTS_MAX:
            return True
        times = f"{record.attempts} times"
        self._drop(record.id, f"the engine died {times} during it; render it again")
        return False

    def _unlink(self, record_id: str) -> None:
        try:
            self._path(record_id).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("The job %s ended but stays on disk: %s", record_id, error)

    def _drop(self, record_id: str, why: str) -> None:
        with contextlib.suppress(OSError):
            self._path(record_id).unlink()
        self._told(f"The render {record_id} that was cut off is dropped: {why}"[:200])

    def _write(self, record: JobRecord) -> None:
        write_whole(self._path(record.id), record_to_json(record).encode())

    def _path(self, record_id: str) -> Path:
        return self._folder / f"{record_id}.json"

    def _next_number(self) -> int:
        numbers = self._numbers()
        self._last = max(self._last, *numbers, 0) + 1
        if self._last > _LAST_NUMBER:
            self._last = next(free for free in count(1) if free not in numbers)
        return self._last

    def _numbers(self) -> list[int]:
        found = (_FILE.fullmatch(entry.name) for entry in self._folder.iterdir())
        return [int(match[1]) for match in found if match]


def _id(number: int) -> str:
    return f"j{number:06d}"
