"""A V2A-Mapper-like baseline: one small network from image space straight to audio space.

It stands for what works without sound sources: no manifold, no Remixer, one vector in, one out
(Wang et al., "V2A-Mapper", AAAI 2024, in its regression form; theirs is larger and diffuses).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from engine.models.weights import load_network
from osc_bridge.errors import BadCheckpoint, FileMissing
from presets.files import writing_whole

LARGEST = 16_384


@dataclass(frozen=True)
class MapperSettings:
    """Sizes of the network."""

    clip_dim: int
    clap_dim: int
    hidden: int = 512

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (isinstance(value, int) and 1 <= value <= LARGEST):
                raise BadCheckpoint(f"{name} is {value}; allowed are 1 to {LARGEST}.")


class Mapper(nn.Module):
    """(..., clip_dim) -> unit vectors (..., clap_dim)."""

    def __init__(self, settings: MapperSettings) -> None:
        super().__init__()
        self.settings = settings
        wide = settings.hidden
        self.enter = nn.Sequential(nn.Linear(settings.clip_dim, wide), nn.LayerNorm(wide))
        self.inside = nn.Sequential(nn.GELU(), nn.Linear(wide, wide), nn.GELU())
        self.leave = nn.Linear(wide, settings.clap_dim)

    def forward(self, clips: Tensor) -> Tensor:
        first = self.enter(clips)
        return normalize(self.leave(first + self.inside(first)), dim=-1)


def build_mapper(settings: MapperSettings, seed: int) -> Mapper:
    """Return a mapper of random weights; the same seed, the same ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Mapper(settings)


def save_mapper(mapper: Mapper, digest: str, path: Path) -> None:
    """Write the mapper as one safetensors file that knows its sizes and its spaces.

    ``digest`` says whose embeddings it learned from: a pack's digest.
    """
    tensors = {name: value.contiguous() for name, value in mapper.state_dict().items()}
    about = {"settings": json.dumps(asdict(mapper.settings)), "digest": digest}
    with writing_whole(path) as part:
        save_file(tensors, part, about)


def load_mapper(path: Path, digest: str) -> Mapper:
    """Return the mapper that :func:`save_mapper` wrote with this digest.

    FileMissing; BadCheckpoint for any other file, and for a mapper of other embeddings.
    """
    if not path.is_file():
        raise FileMissing(f"There is no mapper at {path}; wildtrack baselines train makes one.")
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            settings, learned = MapperSettings(**json.loads(about["settings"])), about["digest"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(
            f"{path} is no mapper of Wildtrack ({error}); train it anew."
        ) from error
    if learned != digest:
        raise BadCheckpoint(
            f"{path} learned from embeddings of the pack {learned[:12]}, not of "
            f"{digest[:12]}: name that pack with --pack, or train the mapper on data "
            "that this one prepared."
        )
    return load_network(lambda: Mapper(settings), path)
