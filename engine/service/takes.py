"""The takes of a session as the engine's clients see them: every change is told to all."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from engine.errors import mapped
from engine.notices import Notices
from engine.take_compare import Difference
from engine.takes import TakeRow, TakeStore


class Takes:
    """The take store of a session; every method raises nothing but WildtrackErrors."""

    def __init__(self, session: Path, notices: Notices) -> None:
        self._notices = notices
        self._store = TakeStore(session)

    def add(self, document: Mapping[str, Any]) -> tuple[str, Path]:
        """Write a new take; return its id and the path of its ``take.json``."""
        with mapped():
            take, path = self._store.add(document)
        self._notices.take(take, document["scene"]["id"], "made")
        return take, path

    def rows(self, scene: str = "", *, trash: bool = False) -> list[TakeRow]:
        """Return the takes, of one scene or of all (""), or those in the trash."""
        with mapped():
            return self._store.rows(scene, trash=trash)

    def rename(self, take: str, name: str) -> TakeRow:
        """Give a take a name for people."""
        with mapped():
            return self._told(self._store.rename(take, name), "renamed")

    def star(self, take: str, *, starred: bool) -> TakeRow:
        """Mark a take as a good one, or take the mark away."""
        with mapped():
            return self._told(self._store.star(take, starred), "starred")

    def delete(self, take: str) -> TakeRow:
        """Move a take to the trash."""
        with mapped():
            return self._told(self._store.delete(take), "deleted")

    def restore(self, take: str) -> TakeRow:
        """Move a take out of the trash."""
        with mapped():
            return self._told(self._store.restore(take), "restored")

    def compare(self, a: str, b: str) -> list[Difference]:
        """Return the settings in which two takes differ."""
        with mapped():
            return self._store.compare(a, b)

    def stems_in_use(self) -> Set[str]:
        """Return the stem files that a take needs."""
        return self._store.stems_in_use()

    def of_job(self, token: str) -> str:
        """Return the take that was rendered for the job record of this token, "" for none."""
        with mapped():
            return self._store.of_job(token)

    def _told(self, take: TakeRow, change: str) -> TakeRow:
        self._notices.take(take.take, take.scene, change)
        return take
