"""What Fréchet distances are measured with: a choice of embedders, ours offline.

``judge`` (statistics of log-mels, no weights) shares nothing with any pack; ``pack`` is a pack's
own audio encoder, which its generator was trained towards: a kind witness. ``aisfx`` learned from
other libraries of sound effects; its weights are in its package. ``vggish`` and ``clap`` are the
paper's V-FAD and C-FAD: the package frechet-audio-distance brings them, and fetches their weights
by its own ways.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.aisfx import aisfx_probe
from engine.evaluation.hearing import Probe, Rows, Wave
from osc_bridge.errors import BadAudio, OutOfRange, PackageMissing

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

Pack = Callable[[], "LoadedPack"]
"""Loads a pack at the first call: not every embedder needs one."""

MAX_BYTES = 4_000_000_000
OUTLIER = 5.0  # standard deviations


def judge_probe() -> Probe:
    """Return the judge's description of a sound, one row."""
    from engine.evaluation.judge import describe  # noqa: PLC0415 - torch is slow to import
    from engine.perception.mel import MEL  # noqa: PLC0415

    def hear(wave: Wave) -> Rows:
        return describe(wave)[None, :].astype(np.float64)

    return Probe("judge", MEL.sample_rate, hear, is_scaled=True)


def pack_probe(pack: Pack) -> Probe:
    """Return a pack's audio encoder, one row of unit length a sound."""
    encoder = pack().audio
    return Probe("pack", encoder.sample_rate, lambda wave: encoder.encode([wave]).cpu().numpy())


def vggish_probe() -> Probe:
    """Return VGGish as the paper's V-FAD uses it: a row for each 0.96 s, of 128 numbers."""
    return _packaged("vggish", 16_000, {"use_pca": False, "use_activation": False})


def clap_probe() -> Probe:
    """Return CLAP as the paper's C-FAD uses it: one row of 512 numbers a sound."""
    return _packaged("clap", 48_000, {"submodel_name": "630k-audioset", "enable_fusion": False})


EMBEDDERS: dict[str, Callable[[Pack], Probe]] = {
    "judge": lambda _: judge_probe(),
    "pack": pack_probe,
    "aisfx": lambda _: aisfx_probe(),
    "vggish": lambda _: vggish_probe(),
    "clap": lambda _: clap_probe(),
}


def scaled_by(reference: Rows, rows: Rows) -> Rows:
    """Return rows in standard deviations of the reference, at most 5 of them either way.

    For dimensions with units of their own: the loudest unit would else be the whole distance.
    """
    spread = reference.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    scaled: Rows = np.clip((rows - reference.mean(axis=0)) / spread, -OUTLIER, OUTLIER)
    return scaled


def read_embeddings(path: Path) -> list[Rows]:
    """Return the rows of an ``.npy`` that holds embeddings (N, D), each as one sound's.

    frechet-audio-distance writes such files (``background_embds_path``): where it wants another
    numpy than ours, let it run by itself and give its files here.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OutOfRange(f"{path.name} has over {MAX_BYTES} bytes; give fewer embeddings.")
        rows: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise OutOfRange(
            f"{path.name} is no .npy file of numbers ({error}); save embeddings (N, D) with "
            "numpy.save."
        ) from error
    if rows.ndim != 2 or len(rows) < 2 or rows.dtype.kind != "f":
        raise OutOfRange(
            f"{path.name} holds {rows.dtype} of shape {rows.shape}; allowed are floating point "
            "numbers of shape (N, D) with N at least 2."
        )
    return [row[None, :] for row in rows.astype(np.float64)]


def _packaged(name: str, sample_rate: int, settings: dict[str, Any]) -> Probe:
    """Return a model of frechet-audio-distance; on Python below 3.13 it wants numpy below 2."""
    try:
        package = importlib.import_module("frechet_audio_distance")
    except ImportError as error:
        raise PackageMissing(
            f"The embedder {name} needs frechet-audio-distance, which is not here ({error}); run: "
            f"{sys.executable} -m pip install frechet-audio-distance==0.3.4, or run it elsewhere "
            "and give its embeddings with --embeddings."
        ) from error
    model = package.FrechetAudioDistance(model_name=name, sample_rate=sample_rate, **settings)

    def hear(wave: Wave) -> Rows:
        try:
            rows = np.asarray(model.get_embeddings([wave], sr=sample_rate), dtype=np.float64)
        except ValueError as error:  # the package prints the cause and has nothing to join
            raise BadAudio(f"{name} cannot embed this sound ({error}).") from error
        return rows.reshape(-1, rows.shape[-1])

    return Probe(name, sample_rate, hear)
