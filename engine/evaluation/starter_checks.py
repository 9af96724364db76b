"""What the model card checks beside quality: patch edges, stems, speed and size."""

from __future__ import annotations

import math
import platform
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.bench import run_render_bench
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.judge import Judge
from engine.evaluation.muting import MuteBench, cases_of, check, summed
from engine.evaluation.rendering import Renderer, edge_ratio
from engine.evaluation.starter_draw import SEED, Item
from engine.evaluation.workers import cores, in_parallel, torch_threads
from engine.perception.mel import log_mel
from engine.steps import StepCallback
from engine.training.features import read_wave

SCENES = 16
SCENE_S = 2.0
BENCH_S = 5.0
REPEATS = 5
THREADS = 2


def edges(renderer: Renderer, paths: Sequence[Path], on_step: StepCallback) -> float:
    """Return the mean step at codec patch edges over that inside patches; 1 is no stripes."""
    patch = renderer.codec.settings.patch

    def ratio(path: Path) -> float:
        picture = log_mel(torch.from_numpy(read_wave(path)))
        return edge_ratio(picture, patch) if picture.shape[1] > 2 * patch else math.nan

    return float(np.nanmean(in_parallel(ratio, paths, on_step)))


def muting(
    renderer: Renderer,
    judge: Judge,
    items: Sequence[Item],
    how: Bootstrap,
    on_step: StepCallback,
) -> dict[str, Any]:
    """Return whether consistent stems add up, and what muting one source does to a judge's scores.

    Scenes of words and of unseen pictures; see :mod:`engine.evaluation.muting`.
    """
    pictures: dict[str, list[Path]] = defaultdict(list)
    for item in items:
        if item.picture:
            pictures[item.kind].append(item.picture.path)
    bench = MuteBench(renderer.pack, judge, seconds=SCENE_S)
    cases = cases_of(judge.classes, SCENES, SEED, pictures)
    found = in_parallel(partial(check, bench), cases, on_step)
    return summed(found, how, bench)


def speed(pack: Path) -> dict[str, Any]:
    """Return the medians of 5 stems of 5 s on 2 threads, preview and final, after a warm-up."""
    with torch_threads(THREADS):
        bench = run_render_bench(str(pack), "cpu", BENCH_S, REPEATS)
    return {
        "seconds": BENCH_S,
        "repeats": REPEATS,
        "threads": bench.threads,
        "cores": cores(),
        "machine": platform.machine(),
        "final_s": round(bench.final_s, 3),
        "preview_s": round(bench.preview_s, 3),
    }


def pack_facts(renderer: Renderer, folder: Path) -> dict[str, Any]:
    """Return what the manifest says of the pack, and the size of its weights."""
    manifest, decoder = renderer.pack.manifest, renderer.pack.decoder
    return {
        "name": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "licence": manifest.licence,
        "sample_rate": manifest.sample_rate,
        "bandwidth_hz": manifest.bandwidth_hz,
        "min_s": decoder.min_s,
        "max_s": decoder.max_s,
        "megabytes": round(sum((folder / name).stat().st_size for name in manifest.files) / 1e6, 2),
    }
