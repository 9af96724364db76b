"""Lists that come in pages, read as they were at one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from osc_bridge.errors import OutOfRange, QueueFull

TRIES = 16


class Page(Protocol):
    """What every page says of itself; pages of scenes have a ``revision``, too."""

    @property
    def next_page(self) -> int: ...
    @property
    def total(self) -> int: ...


P = TypeVar("P", bound=Page)


def read_pages(fetch: Callable[[int], P]) -> list[P]:
    """All pages of one list; begins again when the list changes between two of them.

    Raises:
        QueueFull: it changed each time.
    """
    for _ in range(TRIES):
        pages = _read_once(fetch)
        if pages is not None:
            return pages
    raise QueueFull(
        f"The list changed {TRIES} times while it was read: it must stay the same for as long as "
        "its pages take; read it again when fewer changes come in."
    )


def _read_once(fetch: Callable[[int], P]) -> list[P] | None:
    pages = [fetch(0)]
    while (page := pages[-1].next_page) >= 0:
        try:
            pages.append(fetch(page))
        except OutOfRange:  # it has become shorter
            return None
        if _state(pages[-1]) != _state(pages[0]):
            return None
    return pages


def _state(page: Page) -> tuple[int, int]:
    return getattr(page, "revision", 0), page.total
