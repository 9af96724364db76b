"""Tiny folders of prepared data, as ``wildtrack train data`` leaves them for the tiny pack."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine.training.data.samples import Facts, Kind, Sample
from engine.training.data.shards import write_shard

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack


@dataclass(frozen=True)
class Made:
    """One sample to be: ``sources`` are detected in its picture, -1 for no picture.

    ``views`` are keys of its image-space sides; equal keys give equal sides.
    """

    name: str
    split: str = "test"
    foley_class: str = ""
    kinds: tuple[Kind, ...] = ("words",)
    sources: int = -1
    is_heard: bool = True
    may_publish: bool = True
    package: str = "p"
    views: tuple[str, ...] = ()


def unit(key: str, dims: int) -> np.ndarray:
    """Return a unit vector (dims,) that depends on the key alone."""
    row = np.random.default_rng(zlib.crc32(key.encode())).normal(size=dims)
    return (row / np.linalg.norm(row)).astype("<f4")


def as_sample(of: Made, clip_dim: int, clap_dim: int) -> Sample:
    """Return vectors that tell which sample and view they are."""
    facts = Facts(
        name=of.name,
        split=of.split,
        text=of.name,
        foley_class=of.foley_class,
        licence="CC0",
        package=of.package,
        duration_s=0.5 if of.is_heard else 0.0,
        may_publish=of.may_publish,
        kinds=of.kinds,
    )
    keys = of.views or [f"{of.name} {place}" for place in range(len(of.kinds))]
    views = [unit(key, clip_dim) for key in keys]
    arrays = {"clip": np.stack(views) if views else np.zeros((0, clip_dim), "<f4")}
    if of.is_heard:
        arrays["clap"] = unit(of.name, clap_dim)
    if of.sources >= 0:
        seen = [unit(f"{of.name} source {place}", clip_dim) for place in range(of.sources)]
        arrays["sources"] = np.stack(seen) if seen else np.zeros((0, clip_dim), "<f4")
        arrays["frame"] = unit(f"{of.name} frame", clip_dim)
    return Sample(facts, arrays)


@pytest.fixture
def made() -> type[Made]:
    """Describe a sample: name, split, class, kinds, sources, ..."""
    return Made


@pytest.fixture
def prepare(loaded_tiny_pack: LoadedPack, tmp_path: Path) -> Callable[..., Path]:
    """Write a folder of prepared data: (samples, name, digest) -> folder."""
    pack = loaded_tiny_pack

    def write(
        samples: Sequence[Made], name: str = "prepared", digest: str = pack.manifest.digest
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        sizes = {"clip_dim": pack.images.dim, "clap_dim": pack.audio.dim}
        write_shard(folder / "all-000000.tar", [as_sample(each, **sizes) for each in samples], ())
        manifest = {**sizes, "pack": "tiny 0", "digest": digest, "shards": ["all-000000"]}
        (folder / "data.json").write_text(json.dumps(manifest))
        return folder

    return write
