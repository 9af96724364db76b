"""aiSFX as an embedder: a network that learned the classes of sound effects libraries.

Ma and Lerch, "Representation Learning for the Automatic Indexing of Sound Effects Libraries"
(ISMIR 2022). Network and weights are those of the package ``aisfx`` (weights CC BY 4.0), which is
installed without its dependencies; the log-mels that it wants are computed here, as its librosa
variant does: 44.1 kHz, peak at full scale, window 2048, hop 1024, 96 HTK mels of unit sum, power,
log10(10000 x + 1), in blocks of 100 frames that overlap by half.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.hearing import Probe, Rows, Wave
from osc_bridge.errors import PackageMissing

RATE = 44_100
WINDOW = 2048
HOP = 1024
MELS = 96
BLOCK = 100  # frames, 2.3 s
LARGEST = 9.457798957824707  # what the network's training took as 1


def aisfx_probe() -> Probe:
    """Return aiSFX: a row of 512 numbers for each block of a sound."""
    import torch  # noqa: PLC0415 - slow to import

    model = _model()

    def hear(wave: Wave) -> Rows:
        with torch.inference_mode():
            rows = model.get_embedding(torch.from_numpy(blocks(log_mels(wave))))
        return np.asarray(rows.numpy(), dtype=np.float64)

    return Probe("aisfx", RATE, hear)


def log_mels(wave: Wave) -> NDArray[np.float32]:
    """Return the log-mels (T, 96) of a mono wave at 44.1 kHz, scaled as in training."""
    peak = float(np.abs(wave).max(initial=0.0))
    level = wave / peak if peak > 0 else wave
    padded = np.pad(level, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    mels = np.log10(1e4 * (power @ _filterbank().T) + 1) / LARGEST
    return np.asarray(mels, dtype=np.float32)


def blocks(mels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut log-mels (T, 96) into blocks (B, 100, 96); a short sound is filled with silence."""
    starts = range(0, max(1, len(mels) - BLOCK + 1), BLOCK // 2)
    cut = np.zeros((len(starts), BLOCK, MELS), dtype=np.float32)
    for row, start in enumerate(starts):
        part = mels[start : start + BLOCK]
        cut[row, : len(part)] = part
    return cut


@cache
def _filterbank() -> NDArray[np.float64]:
    """Return HTK's triangles (96, 1025), each of sum 1."""
    bins_hz = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, top, MELS + 2) / 2595) - 1)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    bank = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(bank / np.maximum(bank.sum(axis=1, keepdims=True), 1e-12))


def _model() -> Any:
    try:
        package = importlib.import_module("aisfx.inference")
    except ImportError as error:
        raise PackageMissing(
            f"The embedder aisfx needs the package of that name, which is not here ({error}); run: "
            f"{sys.executable} -m pip install --no-deps aisfx tqdm."
        ) from error
    weights, kinds = _checkpoint(package.get_path_modelWeights())
    return package.load_bestModel(weights, kinds, "cpu")


def _checkpoint(path: str) -> Any:
    """Return the package's weights and class counts; numpy's numbers are the only type let in."""
    import torch  # noqa: PLC0415

    numbers: list[Any] = [
        (np.int64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
        np.dtype,
        type(np.dtype("int64")),
    ]
    with torch.serialization.safe_globals(numbers):
        return torch.load(path, map_location="cpu", weights_only=True)
