"""The CLIP-Score (paper, Sec. 4.1): does a sound fit the pictures of its sources?

100 times the cosine of sound and picture in one space, averaged over a sound's pictures, then over
the sounds. ``wav2clip`` is the paper's: Wav2CLIP (Wu et al., 2022) beside CLIP ViT-B/32. ``pack``
compares in a pack's own manifold, offline: a kind witness of what that pack has generated.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.evaluation.embedders import Pack
from engine.evaluation.hearing import Bad, Probe, Rows, Wave
from engine.perception.frames import load_frame
from engine.steps import StepCallback
from osc_bridge.errors import InputError, PackageMissing

SCALE = 100.0
WAV2CLIP_RATE = 16_000
PROBE = "picture space"


@dataclass(frozen=True)
class PictureSpace:
    """Where sounds and pictures meet: a probe for sounds, ``see`` for a picture's row (D,)."""

    name: str
    probe: Probe
    see: Callable[[Path], Rows]


def pack_space(pack: Pack) -> PictureSpace:
    """Return the manifold of a pack, with its own encoders of pictures and sounds."""
    import torch  # noqa: PLC0415 - slow to import

    loaded = pack()

    def hear(wave: Wave) -> Rows:
        with torch.inference_mode():
            heard = loaded.ssv2a.clap_projector(loaded.audio.encode([wave])).mu
        return _unit(heard.numpy())

    def see(path: Path) -> Rows:
        with torch.inference_mode():
            seen = loaded.ssv2a.clip_projector(loaded.images.encode([load_frame(path)])).mu
        return np.asarray(_unit(seen.numpy())[0])

    return PictureSpace("pack", Probe(PROBE, loaded.audio.sample_rate, hear), see)


def wav2clip_space(_: Pack) -> PictureSpace:
    """Return Wav2CLIP and CLIP ViT-B/32; each package fetches its weights by its own ways."""
    import torch  # noqa: PLC0415 - slow to import

    sounds, pictures = _package("wav2clip"), _package("open_clip")
    ears = sounds.get_model().eval()
    eyes, _train, prepare = pictures.create_model_and_transforms(
        "ViT-B-32-quickgelu", pretrained="openai"
    )
    eyes.eval()

    def hear(wave: Wave) -> Rows:
        return _unit(np.atleast_2d(sounds.embed_audio(wave, ears)))

    def see(path: Path) -> Rows:
        picture = prepare(load_frame(path).convert("RGB"))
        with torch.inference_mode():
            return np.asarray(_unit(eyes.encode_image(picture[None]).numpy())[0])

    return PictureSpace("wav2clip", Probe(PROBE, WAV2CLIP_RATE, hear), see)


SPACES: dict[str, Callable[[Pack], PictureSpace]] = {"pack": pack_space, "wav2clip": wav2clip_space}


def look(
    space: PictureSpace, pictures: Sequence[Sequence[Path]], on_step: StepCallback
) -> tuple[list[Rows], list[Bad]]:
    """Return the rows (P, D) of each sound's pictures, and the pictures that cannot be read."""
    seen: dict[Path, Rows] = {}
    bad: list[Bad] = []
    wanted = sorted({path for paths in pictures for path in paths})
    for step, path in enumerate(wanted):
        try:
            seen[path] = space.see(path)
        except InputError as error:
            bad.append(Bad(path.name, str(error)))
        on_step(step + 1, len(wanted))
    rows = [[seen[path] for path in paths if path in seen] for paths in pictures]
    return [np.stack(of) if of else np.zeros((0, 0)) for of in rows], bad


def scores(sounds: Rows, pictures: Sequence[Rows]) -> Rows:
    """Return the score of each sound (N, D) against its own pictures (P, D), P at least 1; (N,)."""
    return np.array(
        [SCALE * float((seen @ heard).mean()) for heard, seen in zip(sounds, pictures, strict=True)]
    )


def wrong_pairs(sounds: Rows, pictures: Sequence[Rows]) -> float:
    """Return the mean score of every sound against every other sound's pictures."""
    count = len(sounds)
    if count < 2:
        return float("nan")
    means = np.stack([seen.mean(axis=0) for seen in pictures])
    table = SCALE * sounds @ means.T
    return float((table.sum() - np.trace(table)) / (count * (count - 1)))


def _unit(rows: Any) -> Rows:
    wide = np.asarray(rows, dtype=np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12))


def _package(name: str) -> Any:
    pip_name = {"open_clip": "open_clip_torch"}.get(name, name)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PackageMissing(
            f"The CLIP-Score needs {pip_name}, which is not here ({error}); run: "
            f"{sys.executable} -m pip install {pip_name}, or compare in the pack's own space with "
            "--picture-space pack."
        ) from error
