"""How long a stem takes: from cold (load the pack, first stem) and warm."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.audio import resample
from engine.cmss import source_semantics
from engine.embeddings import EmbeddingCache, Perceiver
from engine.memory import resident_bytes
from engine.models.loading import LoadedPack, load_pack
from engine.models.options import Options
from engine.perception.mel import MEL, log_mel
from engine.scene.model import SAMPLE_RATE, Scene, Source
from engine.settings import Quality
from engine.steps import no_steps

if TYPE_CHECKING:
    from torch import Tensor

    from engine.audio import Wave


@dataclass(frozen=True)
class Comparison:
    """Other options beside float32 without compilation, measured in turn with it.

    Ratios are times of these options over those of float32: below 1 is faster. ``mel_error_db`` is
    the mean distance of the two final stems' log-mel pictures where either sounds.
    """

    precision: str
    compiled: bool
    warm_up_s: float
    preview_s: float
    final_s: float
    preview_ratio: float
    final_ratio: float
    mel_error_db: float


@dataclass(frozen=True)
class RenderBench:
    """Seconds for one stem of ``duration_s`` from words, to 48 kHz samples; nothing is written.

    ``cold_s``: load the pack, perceive, render one final stem. Preview and final are medians of
    ``repeats`` warm stems, each with a seed of its own; all of it in float32 without compilation.
    """

    pack: str
    device: str
    threads: int
    duration_s: float
    repeats: int
    load_s: float
    perceive_s: float
    cold_s: float
    preview_s: float
    final_s: float
    memory_bytes: int
    compared: Comparison | None = None


def run_render_bench(
    pack_name: str,
    device: str,
    duration_s: float = 4.0,
    repeats: int = 5,
    options: Options | None = None,
) -> RenderBench:
    """Measure on this machine, now; other work on it makes every figure larger.

    With ``options`` these are measured beside the plain way, stem by stem in turn, so that what
    disturbs one disturbs the other.
    """
    begin_s = time.perf_counter()
    pack = load_pack(pack_name, device)
    load_s = time.perf_counter() - begin_s
    with torch.inference_mode():
        plain = _Stems(pack, _semantics(pack), duration_s)
        perceive_s = time.perf_counter() - begin_s - load_s
        plain.render("final", seed=0)
        cold_s = time.perf_counter() - begin_s
        plain.render("preview", seed=0)
        other = options and replace(plain, pack=load_pack(pack_name, device, options))
        warm_up_s = _taken_s(partial(other.render, "preview", 0)) if other else 0.0
        both = [plain, other] if other else [plain]
        previews, finals = (_medians_s(both, quality, repeats) for quality in ("preview", "final"))
        compared = _compared(plain, other, warm_up_s, previews, finals) if other else None
    return RenderBench(
        pack=pack.manifest.name,
        device=device,
        threads=torch.get_num_threads(),
        duration_s=duration_s,
        repeats=repeats,
        load_s=load_s,
        perceive_s=perceive_s,
        cold_s=cold_s,
        preview_s=previews[0],
        final_s=finals[0],
        memory_bytes=resident_bytes(),
        compared=compared,
    )


def _semantics(pack: LoadedPack) -> Tensor:
    source = Source("s1", "text", "rain", seed=0, text="rain on a tin roof")
    scene = Scene("scene1", "bench", 0, SAMPLE_RATE, sources=(source,))
    perceiver = Perceiver(pack, Path(), EmbeddingCache())
    return source_semantics(pack.ssv2a, perceiver.sources(scene))[0]


@dataclass(frozen=True, eq=False)
class _Stems:
    """One sound from one pack, at any quality and seed."""

    pack: LoadedPack
    a: Tensor
    duration_s: float

    def render(self, quality: Quality, seed: int) -> Wave:
        """Return the stem at the decoder's rate, after it was resampled once for the time."""
        decoder = self.pack.decoder
        wave = decoder.decode(self.a, self.duration_s, seed, quality, no_steps)
        resample(wave, decoder.sample_rate, SAMPLE_RATE, round(self.duration_s * SAMPLE_RATE))
        return wave


def _medians_s(both: Sequence[_Stems], quality: Quality, repeats: int) -> list[float]:
    """Return the median seconds of a stem for each, measured in turn."""
    taken: list[list[float]] = [[] for _ in both]
    for seed in range(1, repeats + 1):
        for stems, times in zip(both, taken, strict=True):
            times.append(_taken_s(partial(stems.render, quality, seed)))
    return [statistics.median(times) for times in taken]


def _compared(
    plain: _Stems, other: _Stems, warm_up_s: float, previews: list[float], finals: list[float]
) -> Comparison:
    return Comparison(
        precision=other.pack.precision,
        compiled=other.pack.compiled,
        warm_up_s=warm_up_s,
        preview_s=previews[1],
        final_s=finals[1],
        preview_ratio=previews[1] / previews[0],
        final_ratio=finals[1] / finals[0],
        mel_error_db=_mel_error_db(plain.render("final", 1), other.render("final", 1)),
    )


def _taken_s(work: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


def _mel_error_db(one: Wave, other: Wave) -> float:
    """Return the mean distance of two waves' log-mel pictures, dB, where one is above silence."""
    pictures = [log_mel(torch.from_numpy(wave)) for wave in (one, other)]
    sounds = torch.maximum(*pictures) > MEL.log_floor + 1e-3
    apart = (pictures[0] - pictures[1]).abs()[sounds]
    return float(apart.mean()) * 20 / math.log(10) if apart.numel() else 0.0
