"""Which packs are warm, who holds them, and which goes first when memory is short.

A shelf is a plain table: the store that owns it does the locking and the loading.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

Footprint = Mapping[int, int]
"""Bytes of each piece of memory that the tensors of a pack lie in, by its address."""


@dataclass(frozen=True)
class PackKey:
    """A pack's place: its resolved folder (or the name of one made in memory) and the device."""

    place: str
    device: str


@dataclass(eq=False)
class WarmPack:
    """A loaded pack, the name that it was asked for by, and how many jobs hold it."""

    key: PackKey
    name: str
    pack: LoadedPack
    footprint: Footprint = field(default_factory=dict)
    holders: int = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes of its tensors, also those that it shares with another pack."""
        return sum(self.footprint.values())


class Shelf:
    """Warm packs, the least recently used first."""

    def __init__(self) -> None:
        self._warm: OrderedDict[PackKey, WarmPack] = OrderedDict()

    def __len__(self) -> int:
        return len(self._warm)

    @property
    def packs(self) -> list[WarmPack]:
        """All warm packs, the least recently used first."""
        return list(self._warm.values())

    @property
    def memory_bytes(self) -> int:
        """Bytes of all tensors; what packs share counts once."""
        pieces: dict[int, int] = {}
        for warm in self._warm.values():
            pieces.update(warm.footprint)
        return sum(pieces.values())

    def put(self, warm: WarmPack) -> None:
        """Add a pack as the most recently used."""
        self._warm[warm.key] = warm

    def get(self, key: PackKey) -> WarmPack | None:
        """Return the pack of that key as the most recently used, or None."""
        if key in self._warm:
            self._warm.move_to_end(key)
        return self._warm.get(key)

    def is_held(self, place: str) -> bool:
        """Whether a job holds the pack of that place, on any device."""
        return any(warm.holders for warm in self._at(place))

    def take(self, place: str) -> list[WarmPack]:
        """Remove the pack of that place from every device; return what was there."""
        found = self._at(place)
        for warm in found:
            del self._warm[warm.key]
        return found

    def take_idle(self, budget_bytes: int, keep: PackKey | None) -> list[WarmPack]:
        """Remove packs that nobody holds until the rest fits; return them, longest unused first.

        ``keep`` stays, and what a job holds stays: the rest may be above the budget then.
        """
        gone: list[WarmPack] = []
        for warm in self.packs:
            if self.memory_bytes <= budget_bytes:
                break
            if warm.key != keep and not self.is_held(warm.key.place):
                del self._warm[warm.key]
                gone.append(warm)
        return gone

    def _at(self, place: str) -> list[WarmPack]:
        return [warm for warm in self._warm.values() if warm.key.place == place]
