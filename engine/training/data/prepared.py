"""What ``wildtrack train data`` left, opened for training.

    data = PreparedData(folder)                       # data.clip_dim, data.clap_dim, data.classes
    data = PreparedData(vggss, vggsound, fsd50k)      # several, embedded by the same pack
    clean = data.select("train", kinds=["clean"])     # a Selection: which pairs to draw from
    noisy = data.select("train", kinds=["curated", "translated"])
    for pairs in in_order(noisy, 512): ...            # every pair once: teacher similarity
    kept = noisy.keep(mask)                           # mask (len(noisy.pairs),): Kneedle's verdict
    batches = PairBatches(kept, size=192, seed=1, rank=rank, world=world)
    batch = batches[step]                             # depends on (seed, step) alone
    scenes = data.select("train", kinds=(), needs=("clap", "sources", "frame"))  # SceneBatches
    videos = data.select("train", kinds=(), needs=("clap", "frames"))            # VideoBatches
    data.array(row, "mel")                            # (T, mels) where the sound has one

`in_order` and the batches are in :mod:`engine.training.data.batches`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.training.data.samples import KINDS, Facts, Kind
from engine.training.data.shards import read_shard
from osc_bridge.errors import BadCorpus, FileMissing

MANIFEST = "data.json"
MAX_MANIFEST_BYTES = 64 * 2**20

_SHARD_NAME = re.compile(r"[a-z0-9]{1,40}-\d{6}")

Places = NDArray[np.int64]


class PreparedData:
    """All samples of a folder of shards; row = place of a sample. May be pickled to workers."""

    def __init__(self, *folders: Path) -> None:
        """Read manifests and indices (not the arrays). FileMissing, BadCorpus."""
        self.folders = folders
        self.folder = folders[0]
        self.manifests = [read_manifest(folder) for folder in folders]
        self.manifest = self.manifests[0]
        _require_one_pack(folders, self.manifests)
        self.clip_dim = int(self.manifests[0]["clip_dim"])
        self.clap_dim = int(self.manifests[0]["clap_dim"])
        self._shards = [
            read_shard(folder / f"{name}.tar")
            for folder, manifest in zip(folders, self.manifests, strict=True)
            for name in manifest["shards"]
        ]
        self._rows = [
            (s, e) for s, shard in enumerate(self._shards) for e in range(len(shard.entries))
        ]
        self._require_sizes()

    def __len__(self) -> int:
        return len(self._rows)

    def facts(self, row: int) -> Facts:
        """Return what is known of one sample."""
        shard, entry = self._rows[row]
        return self._shards[shard].entries[entry].facts

    def has(self, row: int, name: str) -> bool:
        """Whether a sample has this array (`samples.ARRAYS`)."""
        shard, entry = self._rows[row]
        return name in self._shards[shard].entries[entry].places

    def array(self, row: int, name: str) -> NDArray[Any]:
        """Return one array of a sample as it was stored; KeyError if it has none."""
        shard, entry = self._rows[row]
        return self._shards[shard].array(entry, name)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Every class that is named, in order of the alphabet."""
        return tuple(sorted({self.facts(row).foley_class for row in range(len(self))} - {""}))

    def select(
        self,
        split: str,
        kinds: Collection[Kind] = KINDS,
        *,
        published: bool = False,
        needs: Sequence[str] = ("clap",),
    ) -> Selection:
        """Return the pairs of ``kinds`` whose samples are in ``split`` and have the arrays needed.

        With ``kinds=()`` every such sample once, whatever its pairs, its view being -1: scenes and
        videos are drawn so. With ``published`` only samples whose licence lets them shape weights
        that are published. BadCorpus if nothing is left.
        """
        pairs = [
            (row, view)
            for row in range(len(self))
            if self._is_wanted(row, split, published) and all(self.has(row, n) for n in needs)
            for view in self._views(row, kinds)
        ]
        if not pairs:
            raise BadCorpus(
                f"{self.folder} has no sample of split {split!r} with pairs of kind "
                f"{', '.join(kinds) or '(any)'}, the arrays {', '.join(needs) or '(none)'}"
                f"{' and a licence to publish' if published else ''}; "
                "prepare more data, or ask for other kinds."
            )
        return Selection(self, np.array(pairs, dtype=np.int64))

    def _is_wanted(self, row: int, split: str, published: bool) -> bool:
        facts = self.facts(row)
        return facts.split == split and (facts.may_publish or not published)

    def _views(self, row: int, kinds: Collection[Kind]) -> list[int]:
        if not kinds:
            return [-1]
        return [view for view, kind in enumerate(self.facts(row).kinds) if kind in kinds]

    def _require_sizes(self) -> None:
        wanted = {"clap": self.clap_dim, "clip": self.clip_dim}
        wanted |= dict.fromkeys(("sources", "frame", "frames"), self.clip_dim)
        for shard in self._shards:
            for entry in shard.entries:
                for name, place in entry.places.items():
                    if place.shape[-1] != wanted.get(name, place.shape[-1]):
                        raise BadCorpus(
                            f"{shard.tar}: {name} of {entry.facts.name} has {place.shape[-1]} "
                            f"numbers, {wanted[name]} are needed; prepare the folder anew."
                        )


@dataclass(frozen=True, eq=False)
class Selection:
    """Some pairs of the data: ``pairs`` (P, 2) holds row and view, ordered by row."""

    data: PreparedData
    pairs: Places

    @cached_property
    def rows(self) -> Places:
        """Rows (R,) of the samples that have at least one pair here, each once."""
        return np.unique(self.pairs[:, 0])

    @cached_property
    def starts(self) -> Places:
        """Pairs of sample ``rows[i]`` are ``pairs[starts[i]:starts[i + 1]]``; (R + 1,)."""
        return np.append(np.searchsorted(self.pairs[:, 0], self.rows), len(self.pairs))

    @cached_property
    def groups(self) -> list[str]:
        """What each sample of ``rows`` is balanced by: its class, or its package."""
        facts = [self.data.facts(int(row)) for row in self.rows]
        return [each.foley_class or f"package {each.package}" for each in facts]

    def keep(self, mask: NDArray[np.bool_]) -> Selection:
        """Return the pairs where ``mask`` (P,) is true; BadCorpus if none is left."""
        if not mask.any():
            raise BadCorpus("No pair is left of the training data; loosen what discards them.")
        return replace(self, pairs=self.pairs[mask])

    def balanced(self, seed: int, per_class: int | None = None) -> Selection:
        """Return at most ``per_class`` samples of each class, drawn by ``seed``.

        The default is the size of the smallest class: the paper's balanced version (A.2.1).
        """
        sizes = Counter(self.groups)
        most = per_class or min(sizes.values())
        order = np.random.default_rng(seed).permutation(len(self.rows))
        taken: Counter[str] = Counter()
        kept = []
        for place in order.tolist():
            group = self.groups[place]
            if taken[group] < most:
                taken[group] += 1
                kept.append(self.rows[place])
        return self.keep(np.isin(self.pairs[:, 0], kept))


def _require_one_pack(folders: Sequence[Path], manifests: Sequence[dict[str, Any]]) -> None:
    """Raise BadCorpus unless all vectors are of the same spaces."""
    packs = [manifest.get("digest") for manifest in manifests]
    for folder, pack in zip(folders, packs, strict=True):
        if pack != packs[0]:
            raise BadCorpus(
                f"{folders[0]} and {folder} were embedded by different packs, {str(packs[0])[:16]} "
                f"and {str(pack)[:16]}; prepare one of them anew."
            )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return ``data.json``, which lists shards and sizes; FileMissing, BadCorpus."""
    path = folder / MANIFEST
    if not path.is_file():
        raise FileMissing(
            f"There is no {MANIFEST} in {folder}; run `wildtrack train data` until it is done."
        )
    size_bytes = path.stat().st_size
    if size_bytes > MAX_MANIFEST_BYTES:
        raise BadCorpus(
            f"{path} has {size_bytes} bytes, at most {MAX_MANIFEST_BYTES} are allowed; "
            "prepare the folder anew."
        )
    try:
        manifest = json.loads(path.read_bytes())
        is_whole = (
            int(manifest["clip_dim"]) > 0 <= int(manifest["clap_dim"])
            and isinstance(manifest["shards"], list)
            and all(_SHARD_NAME.fullmatch(str(name)) for name in manifest["shards"])
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadCorpus(f"{path} is damaged ({error!r}); prepare the folder anew.") from error
    if not is_whole:
        raise BadCorpus(f"{path} names no sizes or odd shards; prepare the folder anew.")
    return dict(manifest)
