"""The table of A.6 as one HTML page and as numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from engine.evaluation import html
from engine.evaluation.baselines import Sound
from engine.evaluation.compositions import (
    MEASURES,
    ORDER,
    Composition,
    Heard,
    averages,
    resampled,
)
from engine.perception.mel import MEL, log_mel

ROWS_SHOWN = 1  # pictures of each kind
HEIGHT = 3  # pixels a mel band


@dataclass(frozen=True)
class Setting:
    """How the scenes were rendered."""

    pack: str
    digest: str
    seconds: float
    quality: str
    seeds: int


def numbers(heard: Sequence[Heard], setting: Setting) -> dict[str, Any]:
    """Return averages and every single measure, for a program to read."""
    return {
        "setting": asdict(setting),
        "averages": [asdict(average) for average in averages(heard)],
        "scenes": [asdict(row) for row in heard],
    }


def text_table(heard: Sequence[Heard]) -> str:
    """Return the averages as lines for a terminal."""
    lines = [f"{'kind':12} {'method':10} " + " ".join(f"{name:>7}" for name in MEASURES)]
    for average in averages(heard):
        values = " ".join(f"{average.means[name]:7.3f}" for name in MEASURES)
        lines.append(f"{average.kind:12} {average.method:10} {values}")
    return "\n".join(lines)


def write(
    heard: Sequence[Heard], setting: Setting, pictures: Mapping[tuple[str, str, str], bytes]
) -> str:
    """Return the page; ``pictures`` are PNG spectrograms by kind, scene and method."""
    lead = (
        f"Pack {setting.pack} ({setting.digest[:12]}), {setting.seconds:g} s, "
        f"{setting.quality} quality; seeds for each scene: {setting.seeds}."
    )
    parts = [*_table(heard), *_scenes(heard), *_pictures(pictures), *_caveats()]
    return html.page("Composition against cascade (A.6)", lead, parts)


def _table(heard: Sequence[Heard]) -> list[str]:
    found = averages(heard)
    first = found[0].method
    rows = [
        [
            average.kind,
            average.method,
            *(f"{average.means[name]:.3f}" for name in MEASURES),
            "" if average.method == first else f"{average.wins['whole']} of {average.scenes}",
        ]
        for average in found
    ]
    head = ("awareness", "method", "whole", "least source", "pulse", f"whole beats {first}")
    return [
        html.text("In short", "h2"),
        html.table(html.Table("Means over the scenes of each kind", head, rows)),
        html.text(
            "Whole: how near the sound is to the words for the scene as a whole. Least source: how "
            "near to the source it has least of. Both are cosines in the pack's audio space. For "
            "frames of prepared data the whole is the real sound and sources are what was found. "
            "Pulse: how regular its onsets are (0 to 1). The paper shows one example of each kind "
            "to listen to and gives no numbers.",
            look="note",
        ),
    ]


def _scenes(heard: Sequence[Heard]) -> list[str]:
    rows = [
        [
            f"{row.composition.whole} = {' + '.join(row.composition.sources)}",
            row.composition.kind,
            row.method,
            str(row.seed),
            *(f"{getattr(row, name):.3f}" for name in MEASURES),
        ]
        for row in heard
    ]
    head = ("scene", "kind", "method", "seed", *MEASURES)
    return [html.text("Scene by scene", "h2"), html.table(html.Table("", head, rows))]


def _pictures(pictures: Mapping[tuple[str, str, str], bytes]) -> list[str]:
    if not pictures:
        return []
    figures = [
        html.figure(
            html.image(data, "image/png", f"Spectrogram of {scene} by {method}"),
            f"{kind}: {scene}, {method}",
        )
        for (kind, scene, method), data in pictures.items()
    ]
    return [html.text("To be looked at", "h2"), html.row(figures)]


def _caveats() -> list[str]:
    return [
        html.text("What this does not say", "h2"),
        html.points(
            [
                "The ear is the pack's own encoder, which the decoder was trained with: it "
                "flatters both methods alike, and what it cannot hear counts for neither.",
                "Whether two instruments play together is for people to judge: ask them with "
                "wildtrack listening.",
                "A few scenes of each kind tell a direction, not a size.",
            ]
        ),
    ]


class Pictures:
    """Spectrograms of the first scene of each kind with the first seed, drawn as they are heard."""

    def __init__(self, compositions: Sequence[Composition]) -> None:
        self.drawn: dict[tuple[str, str, str], bytes] = {}
        self._shown = [
            composition
            for kind in ORDER
            for composition in [c for c in compositions if c.kind == kind][:ROWS_SHOWN]
        ]

    def keep(self, composition: Composition, method: str, _seed: int, sound: Sound) -> None:
        """Draw the sound if its scene is shown and has no picture yet."""
        place = (composition.kind, composition.whole, method)
        if composition in self._shown and place not in self.drawn:
            self.drawn[place] = spectrogram(sound)


def spectrogram(sound: Sound) -> bytes:
    """Return the log-mel picture of a sound as PNG, low below, loud bright."""
    from PIL import Image  # noqa: PLC0415

    picture = log_mel(torch.from_numpy(resampled(sound, MEL.sample_rate))).numpy()
    low, high = MEL.log_floor, max(float(picture.max()), MEL.log_floor + 1)
    level = np.clip((picture[::-1] - low) / (high - low), 0, 1)
    colours = np.stack([level**0.8, level**1.7, np.sin(np.pi * level) * 0.55 + 0.1 * level], -1)
    drawn = Image.fromarray((colours * 255).astype(np.uint8))
    buffer = io.BytesIO()
    size = (max(picture.shape[1], 240), picture.shape[0] * HEIGHT)
    drawn.resize(size, Image.Resampling.BILINEAR).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
