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
from torch.nn.functional import cosine_similarity, normalize

from engine.models.weights import load_network
from engine.steps import StepCallback
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


@dataclass(frozen=True)
class MapperSchedule:
    """How it learns; ``noise`` is the length of what is added to unit image vectors."""

    steps: int = 1500
    batch: int = 128
    rate: float = 1e-3
    noise: float = 0.25
    seed: int = 1


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


def train_mapper(
    clips: Tensor, claps: Tensor, schedule: MapperSchedule, hidden: int, on_step: StepCallback
) -> Mapper:
    """Return a mapper trained on pairs (N, clip_dim), (N, clap_dim); the same seed, the same one.

    ``clips`` may be (V, N, clip_dim): one of V views of each pair is drawn at each step.
    """
    views = clips if clips.ndim == 3 else clips.unsqueeze(0)
    settings = MapperSettings(views.shape[-1], claps.shape[-1], hidden)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(schedule.seed)
        mapper = Mapper(settings)
    optimizer = torch.optim.AdamW(mapper.parameters(), lr=schedule.rate, weight_decay=0.02)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schedule.steps)
    drawn = torch.Generator().manual_seed(schedule.seed)
    for step in range(schedule.steps):
        rows = torch.randint(len(claps), (schedule.batch,), generator=drawn)
        view = torch.randint(len(views), (schedule.batch,), generator=drawn)
        noise = torch.randn(schedule.batch, settings.clip_dim, generator=drawn)
        seen = normalize(views[view, rows], dim=-1)
        seen = normalize(seen + noise * (schedule.noise / settings.clip_dim**0.5), dim=-1)
        loss = (1 - cosine_similarity(mapper(seen), claps[rows], dim=-1)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        slower.step()
        on_step(step + 1, schedule.steps)
    return mapper.eval()


def save_mapper(mapper: Mapper, path: Path) -> None:
    """Write the mapper as one safetensors file that knows its sizes."""
    tensors = {name: value.contiguous() for name, value in mapper.state_dict().items()}
    with writing_whole(path) as part:
        save_file(tensors, part, {"settings": json.dumps(asdict(mapper.settings))})


def load_mapper(path: Path) -> Mapper:
    """Return the mapper that :func:`save_mapper` wrote; BadCheckpoint for any other file."""
    if not path.is_file():
        raise FileMissing(f"There is no mapper at {path}; wildtrack baselines train makes one.")
    try:
        with safe_open(path, "pt") as file:
            settings = MapperSettings(**json.loads((file.metadata() or {})["settings"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(
            f"{path} is no mapper of Wildtrack ({error}); train it anew."
        ) from error
    return load_network(lambda: Mapper(settings), path)
