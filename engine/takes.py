"""Takes: one immutable result each, a folder ``takes/<id>/`` with its ``take.json``.

A deleted take's folder lies in ``trash/`` until it is restored or somebody removes it there by
hand. What people say of a take (name, star) lies in a file of its own beside it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from engine.paths import read_plain
from engine.take_compare import Difference, differences
from engine.take_files import (
    TAKE_FILE,
    FileState,
    State,
    TakeFiles,
    TakeRead,
    read_document,
    read_take_files,
    settled_state,
    state_of,
    write_label,
)
from osc_bridge.errors import BadSession, UnknownTake
from osc_bridge.ranges import LABEL
from presets.files import sync_folder, write_whole

TAKES, TRASH = "takes", "trash"
FRESH_S = 1.0
"""For this long a list stands, unless a take comes or goes or is relabelled."""

_LAST_FILE = "last-take"
_LAST_TAKE = 999_999_999
_TAKE_ID = re.compile(r"t([0-9]{4}|[1-9][0-9]{4,8})")
_NO_TAKE = TakeRead(None)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TakeRow:
    """One take as a list shows it; ``name`` is empty until it gets one."""

    take: str
    scene: str
    name: str
    starred: bool
    created: str
    duration_samples: int
    path: Path
    in_trash: bool = False


@dataclass(frozen=True)
class _Seen:
    """A take's folder as it was when it was read."""

    state: State
    read: TakeRead


@dataclass(frozen=True)
class _Listing:
    """The takes of a folder as they were at a time (s, monotonic), by the folder's state then.

    ``jobs`` are the takes by the tokens of their records. ``failure`` is why a take could not be
    read: the lists lack it.
    """

    state: FileState | None
    looked_s: float
    rows: tuple[TakeRow, ...]
    stems: frozenset[str]
    jobs: Mapping[str, str]
    failure: OSError | None


class TakeStore:
    """The takes of a session. Methods may be called from any thread.

    What others change in the folders is seen within ``FRESH_S``.
    """

    def __init__(self, session: Path) -> None:
        self._session = session
        self._lock = threading.RLock()
        self._seen: dict[str, dict[str, _Seen]] = {TAKES: {}, TRASH: {}}
        self._listings: dict[str, _Listing] = {}
        self._last = 0

    def add(self, document: Mapping[str, Any]) -> tuple[str, Path]:
        """Write a new take whole; return its id and the absolute path of its ``take.json``.

        When this fails, no such take is there.
        """
        with self._changing():
            take, folder = self._new_folder()
            path = folder / TAKE_FILE
            text = json.dumps(
                {"take": take, **document}, indent=1, ensure_ascii=False, allow_nan=False
            )
            try:
                write_whole(path, (text + "\n").encode(), overwrite=False)
                sync_folder(folder.parent)
            except BaseException:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                    folder.rmdir()
                raise
            self._last = int(take[1:])
            return take, path

    def rows(self, scene: str = "", *, trash: bool = False) -> list[TakeRow]:
        """Return the takes, of one scene or of all (""), oldest first, or those in the trash.

        What is not a take of ours is left out. Only what has changed on disk is read again.
        """
        with self._lock:
            rows = self._listing(TRASH if trash else TAKES).rows
        return [row for row in rows if scene in ("", row.scene)]

    def rename(self, take: str, name: str) -> TakeRow:
        """Give the take a name for people, "" for none. Raises OutOfRange, BadText, UnknownTake."""
        return self._relabel(take, name=LABEL.check("name", name))

    def star(self, take: str, starred: bool) -> TakeRow:
        """Mark the take as a good one, or take the mark away. Raises UnknownTake."""
        return self._relabel(take, starred=starred)

    def delete(self, take: str) -> TakeRow:
        """Move the take to the trash; its id is never used again. Raises UnknownTake."""
        with self._changing():
            files = self._require(take, TAKES)
            self._remember_last()
            self._move(take, TAKES, TRASH)
            return self._row(take, files, TRASH)

    def restore(self, take: str) -> TakeRow:
        """Move the take back out of the trash. Raises UnknownTake, BadSession."""
        with self._changing():
            files = self._require(take, TRASH)
            self._move(take, TRASH, TAKES)
            return self._row(take, files, TAKES)

    def compare(self, a: str, b: str) -> list[Difference]:
        """Return the settings in which two takes differ; they may lie in the trash."""
        with self._lock:
            documents = [self._document(take) for take in (a, b)]
        return differences(*documents)

    def stems_in_use(self) -> frozenset[str]:
        """Return the files, relative to the session, that a take needs, also one in the trash.

        OSError when a take cannot be read: nobody knows then what it needs.
        """
        with self._lock:
            listings = [self._listing(place) for place in (TAKES, TRASH)]
        for listing in listings:
            if listing.failure is not None:
                raise listing.failure
        return frozenset().union(*(listing.stems for listing in listings))

    def of_job(self, token: str) -> str:
        """Return the take that was rendered for the job record of this token, "" for none."""
        with self._lock:
            listings = [self._listing(place) for place in (TAKES, TRASH)]
        return next((found for each in listings if (found := each.jobs.get(token))), "")

    def _relabel(self, take: str, **said: Any) -> TakeRow:
        with self._changing():
            place, files = self._find(take)
            label = replace(files.label, **said)
            write_label(self._folder(take, place), label)
            return self._row(take, replace(files, label=label), place)

    def _row(self, take: str, files: TakeFiles, place: str) -> TakeRow:
        return TakeRow(
            take=take,
            scene=files.scene,
            name=files.label.name,
            starred=files.label.starred,
            created=files.created,
            duration_samples=files.duration_samples,
            path=self._folder(take, place) / TAKE_FILE,
            in_trash=place == TRASH,
        )

    def _folder(self, take: str, place: str) -> Path:
        return self._session / place / take

    def _document(self, take: str) -> dict[str, Any]:
        place, _ = self._find(take)
        return read_document(self._folder(take, place))

    def _find(self, take: str) -> tuple[str, TakeFiles]:
        """Return where the take lies and what it holds, or raise UnknownTake."""
        for place in (TAKES, TRASH):
            files = self._look_at(take, place).files
            if files is not None:
                return place, files
        raise self._unknown(take, "", self.rows())

    def _require(self, take: str, place: str) -> TakeFiles:
        files = self._look_at(take, place).files
        if files is None:
            where = " in the trash" if place == TRASH else ""
            raise self._unknown(take, where, self.rows(trash=place == TRASH))
        return files

    @staticmethod
    def _unknown(take: str, where: str, rows: list[TakeRow]) -> UnknownTake:
        latest = f"the latest is {rows[-1].take}" if rows else "there are none"
        return UnknownTake(f"There is no take {take[:20]!r}{where} ({latest}); list the takes.")

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock for a change, after which every list is made anew."""
        with self._lock:
            try:
                yield
            finally:
                self._listings.clear()

    def _listing(self, place: str) -> _Listing:
        """Return the takes of a folder; looked through again when it changed or after a while."""
        state, known = settled_state(self._session / place), self._listings.get(place)
        age_s = time.monotonic() - (known.looked_s if known else 0.0)
        if known is None or known.state != state or age_s > FRESH_S:
            known = self._look_through(place, state)
            if state is not None:
                self._listings[place] = known
        return known

    def _look_through(self, place: str, state: FileState | None) -> _Listing:
        """Return the takes of a folder, the lowest number first; forget those that are gone."""
        names = [f"t{number:04d}" for number in self._numbers(place)]
        for gone in self._seen[place].keys() - set(names):
            del self._seen[place][gone]
        rows: list[TakeRow] = []
        stems: set[str] = set()
        jobs: dict[str, str] = {}
        failure = None
        for name in names:
            try:
                read = self._look_at(name, place)
            except OSError as error:
                _log.warning("The take %s cannot be read now: %s", name, error)
                failure = error
                continue
            stems |= read.stems
            if read.files is not None:
                rows.append(self._row(name, read.files, place))
                jobs[read.files.job] = name
        jobs.pop("", None)
        return _Listing(state, time.monotonic(), tuple(rows), frozenset(stems), jobs, failure)

    def _look_at(self, take: str, place: str) -> TakeRead:
        """Return what a take's folder holds, read again when its files are other ones."""
        if _TAKE_ID.fullmatch(take) is None:
            return _NO_TAKE
        seen = self._seen[place]
        state = state_of(f"{self._session}/{place}/{take}")
        if state is None:
            return _NO_TAKE
        if take not in seen or seen[take].state != state:
            seen[take] = _Seen(state, read_take_files(self._folder(take, place)))
        return seen[take].read

    def _numbers(self, place: str) -> list[int]:
        try:
            names = os.listdir(self._session / place)  # noqa: PTH208
        except FileNotFoundError:
            return []
        return sorted(int(name[1:]) for name in names if _TAKE_ID.fullmatch(name))

    def _new_folder(self) -> tuple[str, Path]:
        used = {number for place in (TAKES, TRASH) for number in self._numbers(place)}
        number = max((*used, self._last, self._read_last())) + 1
        if number > _LAST_TAKE:
            number = next(free for free in count(1) if free not in used)
        take = f"t{number:04d}"
        folder = self._folder(take, TAKES)
        folder.mkdir()
        return take, folder

    def _read_last(self) -> int:
        """Return the highest number that was ever deleted; 0 when nobody says so."""
        try:
            text = read_plain(self._session / TAKES / _LAST_FILE, 16).decode("ascii").strip()
        except (OSError, ValueError, BadSession):
            return 0
        return int(text[1:]) if _TAKE_ID.fullmatch(text) else 0

    def _remember_last(self) -> None:
        """Write down the highest number so far: somebody may empty the trash by hand."""
        highest = max((*self._numbers(TAKES), self._last))
        if highest > self._read_last():
            write_whole(self._session / TAKES / _LAST_FILE, f"t{highest:04d}\n".encode())

    def _move(self, take: str, source: str, target: str) -> None:
        """Rename a take's folder, durably; when this fails it lies where it was."""
        old, new = self._folder(take, source), self._folder(take, target)
        new.parent.mkdir(exist_ok=True)
        if new.parent.is_symlink():
            raise BadSession(f"The folder {target} of the session is a link; make it a folder.")
        if os.path.lexists(new):
            raise BadSession(
                f"The take {take} is in the folder {target} of the session already; move one of "
                "the two out of the session."
            )
        old.rename(new)
        try:
            sync_folder(new.parent)
            sync_folder(old.parent)
        except BaseException:
            new.rename(old)
            raise
