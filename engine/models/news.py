"""What a model store tells: a pack's state has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

ModelState = Literal["loading", "loaded", "in_use", "unloaded", "evicted", "failed"]


@dataclass(frozen=True)
class ModelNews:
    """The pack by the name it was asked for, what became of it, where, and a sentence on it."""

    pack: str
    state: ModelState
    device: str
    sentence: str


TellNews = Callable[[ModelNews], None]


def no_news(news: ModelNews) -> None:
    """Tell nobody."""


PackState = Literal["in_use", "loaded", "available"]


@dataclass(frozen=True)
class PackRow:
    """One pack as a list shows it; ``device`` is "" and ``memory_bytes`` 0 unless it is loaded.

    ``pack`` is what ``ModelStore.load`` takes: an installed pack's name, or a folder.
    """

    pack: str
    version: str
    kind: str
    licence: str
    state: PackState
    device: str
    memory_bytes: int
    digest: str
