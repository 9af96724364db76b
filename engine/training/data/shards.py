"""Shards: WebDataset tar files of ``.json`` and ``.npy`` members, each with an index beside it.

``train-000000.tar`` is a plain uncompressed tar that any WebDataset reader takes;
``train-000000.json`` says where in it each array begins, so that samples are read in any order
through a memory map. The index appears last: a shard without one is not finished. No pickle
anywhere; equal samples give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import mmap
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.training.data.samples import ARRAYS, Facts, Sample
from osc_bridge.errors import BadCorpus
from presets.files import write_whole, writing_whole

FORMAT = 1
MAX_INDEX_BYTES = 256 * 2**20
_AGAIN = "remove both and run `wildtrack train data` again"


@dataclass(frozen=True)
class Place:
    """Where the numbers of one array lie in a tar: byte of the first, and the shape."""

    at: int
    shape: tuple[int, ...]

    def size_bytes(self, kind: str) -> int:
        """Length in bytes of the numbers."""
        return math.prod(self.shape) * np.dtype(kind).itemsize


@dataclass(frozen=True)
class Bad:
    """A file that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One sample of a shard: its facts and where its arrays lie."""

    facts: Facts
    places: Mapping[str, Place]


class Shard:
    """One finished shard, read through a memory map; may be used from any thread and pickled."""

    def __init__(self, tar: Path, entries: Sequence[Entry], bad: Sequence[Bad]) -> None:
        self.tar = tar
        self.entries = tuple(entries)
        self.bad = tuple(bad)

    def array(self, sample: int, name: str) -> NDArray[Any]:
        """Return a copy of one array of a sample; KeyError if the sample has none."""
        place = self.entries[sample].places[name]
        kind = ARRAYS[name][1]
        flat = np.frombuffer(self._map, kind, count=math.prod(place.shape), offset=place.at)
        return flat.reshape(place.shape).copy()

    @cached_property
    def _map(self) -> mmap.mmap:
        with self.tar.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the map behind: another process makes its own."""
        return {key: value for key, value in self.__dict__.items() if key != "_map"}


def write_shard(tar: Path, samples: Iterable[Sample], bad: Sequence[Bad]) -> Shard:
    """Write ``tar`` and its index, each whole or not at all."""
    entries = []
    with writing_whole(tar) as part:
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
            for number, sample in enumerate(samples):
                entries.append(_add(archive, f"{number:08d}", sample))
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = part.stat().st_size
    index = {
        "format": FORMAT,
        "bytes": size_bytes,
        "sha256": digest,
        "samples": [
            {
                "facts": asdict(entry.facts),
                "arrays": {name: asdict(place) for name, place in entry.places.items()},
            }
            for entry in entries
        ],
        "bad": [asdict(each) for each in bad],
    }
    write_whole(index_of(tar), json.dumps(index, ensure_ascii=False).encode())
    return Shard(tar, entries, bad)


def read_shard(tar: Path) -> Shard:
    """Return the shard of a finished tar; BadCorpus if its index does not fit it."""
    index = _read_index(index_of(tar))
    there = tar.stat().st_size if tar.is_file() else -1
    if there != index.get("bytes"):
        raise BadCorpus(f"{tar} has {there} bytes, its index says {index.get('bytes')}; {_AGAIN}.")
    try:
        entries = [_entry(each, there) for each in index["samples"]]
        bad = [Bad(str(each["name"]), str(each["reason"])) for each in index["bad"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BadCorpus(f"The index of {tar} is damaged ({error!r}); {_AGAIN}.") from error
    return Shard(tar, entries, bad)


def is_finished(tar: Path) -> bool:
    """Whether this shard was written wholly."""
    return tar.is_file() and index_of(tar).is_file()


def verify_shard(tar: Path) -> None:
    """Raise BadCorpus unless every byte of the tar is as it was written."""
    wanted = _read_index(index_of(tar)).get("sha256")
    with tar.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise BadCorpus(f"{tar} has SHA-256 {found[:16]}…, not {str(wanted)[:16]}…; {_AGAIN}.")


def index_of(tar: Path) -> Path:
    """Return the path of a tar's index."""
    return tar.with_suffix(".json")


def _add(archive: tarfile.TarFile, key: str, sample: Sample) -> Entry:
    facts = json.dumps(asdict(sample.facts), ensure_ascii=False, sort_keys=True).encode()
    _member(archive, f"{key}.json", facts)
    places = {}
    for name in sorted(sample.arrays):
        array = np.ascontiguousarray(sample.arrays[name])
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
        end = _member(archive, f"{key}.{name}.npy", buffer.getvalue())
        places[name] = Place(end - array.nbytes, array.shape)
    return Entry(sample.facts, places)


def _member(archive: tarfile.TarFile, name: str, data: bytes) -> int:
    """Append one member without owner or date; return the byte after its last."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    begin = archive.offset + tarfile.BLOCKSIZE
    archive.addfile(info, io.BytesIO(data))
    return begin + len(data)


def _read_index(path: Path) -> dict[str, Any]:
    size_bytes = path.stat().st_size if path.is_file() else 0
    if not 0 < size_bytes <= MAX_INDEX_BYTES:
        raise BadCorpus(
            f"{path} has {size_bytes} bytes, allowed are 1 to {MAX_INDEX_BYTES}; {_AGAIN}."
        )
    try:
        index = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadCorpus(f"{path} cannot be read ({error}); {_AGAIN}.") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise BadCorpus(f"{path} is not of format {FORMAT}; {_AGAIN}.")
    return index


def _entry(data: Mapping[str, Any], size_bytes: int) -> Entry:
    facts = Facts.of_json(data["facts"])
    places = {}
    for name, given in data["arrays"].items():
        place = Place(int(given["at"]), tuple(map(int, given["shape"])))
        axes, kind = ARRAYS[name]
        if (
            len(place.shape) != axes
            or min(place.at, *place.shape) < 0
            or place.at + place.size_bytes(kind) > size_bytes
        ):
            raise ValueError(f"{name} of {facts.name} does not fit")
        places[name] = place
    if places["clip"].shape[0] != len(facts.kinds):
        raise ValueError(f"{facts.name} has {len(facts.kinds)} kinds")
    return Entry(facts, places)
