"""Our modules against the numbers of the published code (``expected.safetensors``)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.cmss.checkpoint import load_ssv2a
from engine.cmss.cycle_mix import CycleMixSettings, published_cycle_mix
from engine.cmss.gaussian import Gaussian
from engine.cmss.model import SSV2A
from osc_bridge.errors import BadCheckpoint, FileMissing, WildtrackError

TOLERANCE = 1e-5
EXPECTED_FILE = "expected.safetensors"
CERTAIN_LOG_VAR = -80.0
"""Every variance head's answer in the Cycle Mix numbers: sampling returns the mean."""

INPUTS = frozenset(
    {
        "clips",
        "claps",
        "folds",
        "remixer.src",
        "remixer.src_clips",
        "aggregator.x",
        "cycle.clips",
        "cycle.fixed_src",
    }
)
GAUSSIAN_OUTPUT = re.compile(
    r"(clip_encoder|clap_encoder|generator|remixer|aggregator)\.(mu|log_var)"
)
CYCLE_OUTPUT = re.compile(r"cycle\.(visual|mixed)\.its(\d{1,5})")

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class ParityRow:
    """One expected tensor. ``max_abs_error`` is infinite if it could not be compared."""

    tensor: str
    shape: tuple[int, ...]
    max_abs_error: float
    ok: bool


def run_parity(directory: Path) -> list[ParityRow]:
    """Compare every output in ``directory``; a tensor that is not recognised is a failing row.

    The folder holds the model in either layout and ``expected.safetensors``. Raises FileMissing
    or BadCheckpoint when there is nothing to compare.
    """
    directory = Path(directory)
    tensors = _read_expected(directory / EXPECTED_FILE)
    model = load_ssv2a(directory)
    certain = _without_variance(model)
    rows = [
        _compare(name, tensors[name], _try_answer(model, certain, name, tensors))
        for name in sorted(tensors.keys() - INPUTS)
    ]
    if not rows:
        raise BadCheckpoint(
            f"{directory / EXPECTED_FILE} holds no outputs to compare: get the file again."
        )
    return rows


def _read_expected(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileMissing(
            f"{path} is missing; parity needs a folder with a model and {EXPECTED_FILE}: name "
            "such a folder."
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(f"{path} cannot be read as safetensors ({error}): get it again.") from (
            error
        )


def _compare(name: str, expected: Tensor, found: Tensor | None) -> ParityRow:
    error = float("inf")
    if found is not None and found.shape == expected.shape and expected.numel():
        error = float((found - expected).abs().max())
    return ParityRow(name, tuple(expected.shape), error, error <= TOLERANCE)


def _try_answer(model: SSV2A, certain: SSV2A, name: str, tensors: Tensors) -> Tensor | None:
    """None as well where the inputs do not fit the model: its row fails, the others still run."""
    try:
        return _answer(model, certain, name, tensors)
    except (RuntimeError, IndexError, ValueError, WildtrackError):
        return None


@torch.no_grad()
def _answer(model: SSV2A, certain: SSV2A, name: str, tensors: Tensors) -> Tensor | None:
    """What our code gives for one output, or None if it is unknown or lacks its inputs."""
    if match := GAUSSIAN_OUTPUT.fullmatch(name):
        gaussian = _gaussian(model, match[1], tensors)
        return None if gaussian is None else getattr(gaussian, match[2])
    if match := CYCLE_OUTPUT.fullmatch(name):
        return _cycle(certain, match[1] == "mixed", int(match[2]), tensors)
    return None


def _gaussian(model: SSV2A, module: str, tensors: Tensors) -> Gaussian | None:
    calls: dict[str, tuple[Callable[..., Gaussian] | None, tuple[str, ...]]] = {
        "clip_encoder": (model.clip_projector, ("clips",)),
        "clap_encoder": (model.clap_projector, ("claps",)),
        "generator": (model.reconstructor, ("folds",)),
        "remixer": (model.remixer, ("remixer.src", "remixer.src_clips")),
        "aggregator": (model.aggregator, ("aggregator.x",)),
    }
    call, inputs = calls[module]
    if call is None or not tensors.keys() >= set(inputs):
        return None
    return call(*(tensors[key] for key in inputs))


def _cycle(certain: SSV2A, mixed: bool, iterations: int, tensors: Tensors) -> Tensor | None:
    clips, fixed = tensors.get("cycle.clips"), tensors.get("cycle.fixed_src")
    if clips is None or (mixed and fixed is None):
        return None
    settings = CycleMixSettings(iterations, samples=1, draws=1, score="std")
    results = []
    for i, scene in enumerate(clips):
        rows = _rows(scene, fixed[i] if mixed and fixed is not None else None)
        results.append(published_cycle_mix(certain, rows, settings, torch.Generator()).a_mix)
    return torch.stack(results)


def _rows(clips: Tensor, fixed: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
    """Written-out slots -> rows with counts: slots that hold nothing share one row."""
    filled = clips.any(dim=-1)
    if fixed is not None:
        filled = filled | fixed.any(dim=-1)
    filled[0] = True
    kept, empty = filled.nonzero()[:, 0], (~filled).nonzero()[:, 0]
    index = torch.cat([kept, empty[:1]])
    counts = clips.new_ones(len(index))
    if len(empty):
        counts[-1] = float(len(empty))
    return clips[index], None if fixed is None else fixed[index], counts


def _without_variance(model: SSV2A) -> SSV2A:
    """A copy whose variance heads all answer ``CERTAIN_LOG_VAR``."""
    certain = copy.deepcopy(model)
    styler = certain.remixer.styler
    for owner in (certain.clip_projector, certain.clap_projector, certain.reconstructor, styler):
        nn.init.zeros_(owner.out_sigma.weight)
        nn.init.constant_(owner.out_sigma.bias, CERTAIN_LOG_VAR)
    return certain
