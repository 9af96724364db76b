"""How long a stem takes: from cold (load the pack, first stem) and warm."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.audio import resample
from engine.cmss import source_semantics
from engine.embeddings import EmbeddingCache, Perceiver
from engine.memory import resident_bytes
from engine.models.loading import LoadedPack, load_pack
from engine.scene.model import SAMPLE_RATE, Scene, Source
from engine.settings import Quality
from engine.steps import no_steps

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RenderBench:
    """Seconds for one stem of ``duration_s`` from words, to 48 kHz samples; nothing is written.

    ``cold_s``: load the pack, perceive, render one final stem. Preview and final are medians of
    ``repeats`` warm stems, each with a seed of its own.
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


def run_render_bench(
    pack_name: str, device: str, duration_s: float = 4.0, repeats: int = 5
) -> RenderBench:
    """Measure on this machine, now; other work on it makes every figure larger."""
    begin_s = time.perf_counter()
    pack = load_pack(pack_name, device)
    load_s = time.perf_counter() - begin_s
    with torch.inference_mode():
        a = _semantics(pack)
        perceive_s = time.perf_counter() - begin_s - load_s
        _stem(pack, a, duration_s, "final", seed=0)
        cold_s = time.perf_counter() - begin_s
        _stem(pack, a, duration_s, "preview", seed=0)
        preview_s = _median_s(lambda seed: _stem(pack, a, duration_s, "preview", seed), repeats)
        final_s = _median_s(lambda seed: _stem(pack, a, duration_s, "final", seed), repeats)
    return RenderBench(
        pack=pack.manifest.name,
        device=device,
        threads=torch.get_num_threads(),
        duration_s=duration_s,
        repeats=repeats,
        load_s=load_s,
        perceive_s=perceive_s,
        cold_s=cold_s,
        preview_s=preview_s,
        final_s=final_s,
        memory_bytes=resident_bytes(),
    )


def _semantics(pack: LoadedPack) -> Tensor:
    source = Source("s1", "text", "rain", seed=0, text="rain on a tin roof")
    scene = Scene("scene1", "bench", 0, SAMPLE_RATE, sources=(source,))
    perceiver = Perceiver(pack, Path(), EmbeddingCache())
    return source_semantics(pack.ssv2a, perceiver.sources(scene))[0]


def _stem(pack: LoadedPack, a: Tensor, duration_s: float, quality: Quality, seed: int) -> None:
    wave = pack.decoder.decode(a, duration_s, seed, quality, no_steps)
    resample(wave, pack.decoder.sample_rate, SAMPLE_RATE, round(duration_s * SAMPLE_RATE))


def _median_s(render: Callable[[int], None], repeats: int) -> float:
    taken = []
    for seed in range(1, repeats + 1):
        begin_s = time.perf_counter()
        render(seed)
        taken.append(time.perf_counter() - begin_s)
    return statistics.median(taken)
