"""Who goes first when the memory of warm packs is short."""

from __future__ import annotations

from typing import Any

import pytest

from engine.models.shelf import PackKey, Shelf, WarmPack


def warm(name: str, *pieces: int, device: str = "cpu") -> WarmPack:
    """A pack whose pieces of memory lie at addresses equal to their sizes."""
    unused: Any = None
    footprint = {piece: piece for piece in pieces}
    return WarmPack(PackKey(name, device), name, unused, footprint)


@pytest.fixture
def shelf() -> Shelf:
    """Packs of 10, 20 and 40 bytes; a is unused for longest."""
    shelf = Shelf()
    for pack in (warm("a", 10), warm("b", 20), warm("c", 40)):
        shelf.put(pack)
    return shelf


def names(packs: list[WarmPack]) -> list[str]:
    return [pack.name for pack in packs]


@pytest.mark.parametrize(
    ("budget", "gone"), [(70, ""), (69, "a"), (60, "a"), (59, "ab"), (0, "abc")]
)
def test_the_longest_unused_goes_first(shelf: Shelf, budget: int, gone: str) -> None:
    assert "".join(names(shelf.take_idle(budget, None))) == gone
    assert shelf.memory_bytes <= budget


def test_use_is_remembered(shelf: Shelf) -> None:
    shelf.get(PackKey("a", "cpu"))
    assert names(shelf.take_idle(50, None)) == ["b"]


def test_what_is_held_or_in_use_stays(shelf: Shelf) -> None:
    held = shelf.get(PackKey("b", "cpu"))
    assert held is not None
    held.holders = 1
    assert names(shelf.take_idle(0, PackKey("c", "cpu"))) == ["a"]
    assert names(shelf.packs) == ["c", "b"]


def test_a_pack_that_is_held_on_one_device_stays_on_all(shelf: Shelf) -> None:
    shelf.put(warm("a", 11, device="cuda"))
    held = shelf.get(PackKey("a", "cuda"))
    assert held is not None
    held.holders = 1
    assert shelf.is_held("a")
    assert names(shelf.take_idle(0, None)) == ["b", "c"]
    assert len(shelf.take("a")) == 2


def test_shared_memory_counts_once(shelf: Shelf) -> None:
    shelf.put(warm("d", 40, 5))
    assert shelf.memory_bytes == 10 + 20 + 40 + 5
