"""Do consistent stems add up to the mix, and does muting a source take away what it sounded like?

Scenes of two and three sources are rendered by the engine's own path. A judge then names the mix,
the mix rendered again with one source muted, and the mix without that source's stem.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.audio import resample
from engine.evaluation.bootstrap import Bootstrap, of_mean
from engine.evaluation.judge import Features, Judge, describe
from engine.models.store import ModelStore
from engine.perception.mel import MEL
from engine.pipeline import Rendered, Renderer
from engine.scene.model import SAMPLE_RATE, Scene, Source, source_seed
from engine.settings import Quality, RenderSettings
from engine.stem_cache import StemCache
from engine.steps import StepCallback, no_steps
from engine.training.corpus import class_text
from osc_bridge.errors import OutOfRange

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

SIZES = (2, 3)
SILENT_DB = -200.0
Wave = NDArray[np.float32]
Ear = Callable[[Wave], Features]
"""A mono wave at the front end's rate -> what the judge is asked about."""


@dataclass(frozen=True)
class Voice:
    """One source: the class that the judge knows, and the picture or else the words for it."""

    kind: str
    picture: Path | None = None


@dataclass(frozen=True)
class MuteCase:
    """Sources of different classes that sound together, and the scene's seed."""

    voices: tuple[Voice, ...]
    seed: int


@dataclass(frozen=True)
class Muted:
    """One source muted: changes of the judge's probabilities, of its class and the mean other."""

    own: float
    others: float
    own_left_out: float
    others_left_out: float


@dataclass(frozen=True)
class Checked:
    """One scene: the sum of its stems against the mix (dB), and each source muted in turn."""

    residual_db: float
    muted: tuple[Muted, ...]


@dataclass(frozen=True)
class MuteBench:
    """What every case is rendered and judged with; ``hear`` must suit the judge."""

    pack: LoadedPack
    judge: Judge
    hear: Ear = describe
    seconds: float = 2.0
    quality: Quality = "final"

    def probabilities(self, wave: Wave) -> NDArray[np.float64]:
        """Return the judge's probabilities (C,) of a mono wave at 48 kHz."""
        samples = round(len(wave) * MEL.sample_rate / SAMPLE_RATE)
        features = self.hear(resample(wave, SAMPLE_RATE, MEL.sample_rate, samples))
        return np.asarray(self.judge.trees.predict_proba(features[None])[0], dtype=np.float64)


def cases_of(
    classes: Sequence[str],
    count: int,
    seed: int,
    pictures: Mapping[str, Sequence[Path]] | None = None,
) -> list[MuteCase]:
    """Return scenes of two and three sources, in turn, of classes drawn by ``seed``.

    Each source is its class in words, or in every second scene a picture of its class where
    there is one. OutOfRange for fewer than three classes.
    """
    if len(classes) < max(SIZES):
        raise OutOfRange(
            f"{len(classes)} classes; scenes of {max(SIZES)} different ones need at least "
            f"{max(SIZES)}: give a judge that knows more."
        )
    picker = random.Random(seed)  # noqa: S311 - a fair draw, not a secret
    shown = pictures or {}
    cases = []
    for number in range(count):
        kinds = picker.sample(sorted(classes), SIZES[number % len(SIZES)])
        looks = shown if number // len(SIZES) % 2 else {}
        voices = tuple(
            Voice(kind, picker.choice(looks[kind]) if looks.get(kind) else None) for kind in kinds
        )
        cases.append(MuteCase(voices, seed + number))
    return cases


def mute_check(
    bench: MuteBench, cases: Sequence[MuteCase], how: Bootstrap, on_step: StepCallback
) -> dict[str, Any]:
    """Return residuals, changes with intervals, and how often a source's own class falls most.

    Changes are of probability, after muting less before: ``rendered`` renders the scene again
    without the source, ``left_out`` takes its stem out of the sum. OutOfRange for no case.
    ``on_step`` may raise to stop.
    """
    if not cases:
        raise OutOfRange("There are 0 scenes to mute sources of; give at least 1.")
    of = sum(1 + len(case.voices) for case in cases)
    found: list[Checked] = []
    done = 0
    for case in cases:
        first = done

        def step(part: int, _of: int, first: int = first) -> None:
            on_step(first + part, of)

        found.append(check(bench, case, step))
        done += 1 + len(case.voices)
    return summed(found, how, bench)


def check(bench: MuteBench, case: MuteCase, on_step: StepCallback = no_steps) -> Checked:
    """Render one scene, and again with each source muted; nothing is left on disk."""
    with tempfile.TemporaryDirectory(prefix="wildtrack-mute-") as folder:
        session = Path(folder)
        scene = _scene(case, bench, session)
        studio = _Studio(bench, session)
        whole = studio.render(scene)
        on_step(1, 1 + len(scene.sources))
        before = bench.probabilities(whole.mix.wave)
        muted = []
        for place in range(len(scene.sources)):
            after = bench.probabilities(studio.render(_muting(scene, place)).mix.wave)
            rest = [stem.wave for n, stem in enumerate(whole.stems) if n != place]
            left = bench.probabilities(_sum(rest))
            columns = [bench.judge.classes.index(voice.kind) for voice in case.voices]
            muted.append(_compared(before, after, left, columns, place))
            on_step(2 + place, 1 + len(scene.sources))
        return Checked(residual_db(whole), tuple(muted))


def residual_db(rendered: Rendered) -> float:
    """Return the power of (sum of the stems - mix) over that of the mix, dB; at least -200."""
    mix = rendered.mix.wave.astype(np.float64)
    rest = _sum([stem.wave for stem in rendered.stems]).astype(np.float64) - mix
    power, over = float(np.square(mix).sum()), float(np.square(rest).sum())
    if power == 0 or over == 0:
        return SILENT_DB
    return max(SILENT_DB, 10 * float(np.log10(over / power)))


def summed(found: Sequence[Checked], how: Bootstrap, bench: MuteBench) -> dict[str, Any]:
    """Return what all scenes say together, as plain numbers."""
    muted = [each for scene in found for each in scene.muted]
    residuals = [scene.residual_db for scene in found]
    return {
        "scenes": len(found),
        "sources": len(muted),
        "seconds": bench.seconds,
        "residual_db": {"mean": float(np.mean(residuals)), "highest": max(residuals)},
        "rendered": _changes([m.own for m in muted], [m.others for m in muted], how),
        "left_out": _changes(
            [m.own_left_out for m in muted], [m.others_left_out for m in muted], how
        ),
    }


def _changes(own: Sequence[float], others: Sequence[float], how: Bootstrap) -> dict[str, Any]:
    first, second = np.array(own), np.array(others)
    return {
        "own": asdict(of_mean(first, how)),
        "others": asdict(of_mean(second, how)),
        "own_less_others": asdict(of_mean(first - second, how)),
        "own_falls_more": asdict(of_mean((first < second).astype(np.float64), how)),
        "own_falls": asdict(of_mean((first < 0).astype(np.float64), how)),
    }


def _compared(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    left: NDArray[np.float64],
    columns: Sequence[int],
    place: int,
) -> Muted:
    own = columns[place]
    others = [column for column in columns if column != own]
    return Muted(
        own=float(after[own] - before[own]),
        others=float((after - before)[others].mean()),
        own_left_out=float(left[own] - before[own]),
        others_left_out=float((left - before)[others].mean()),
    )


class _Studio:
    """A session's renderer that keeps what was decoded: a muted scene renders only its mix."""

    def __init__(self, bench: MuteBench, session: Path) -> None:
        self._cache = StemCache(session)
        self._renderer = Renderer(ModelStore.holding(bench.pack), session, self._cache)
        self._settings = RenderSettings("consistent", bench.quality)

    def render(self, scene: Scene) -> Rendered:
        rendered = self._renderer.render(scene, self._settings, lambda *_: no_steps)
        with self._cache.keeping(list(rendered.decoded)):
            return rendered


def _scene(case: MuteCase, bench: MuteBench, session: Path) -> Scene:
    for name in ("media", "stems"):
        (session / name).mkdir()
    sources = tuple(
        _source(voice, number, case.seed, session)
        for number, voice in enumerate(case.voices, start=1)
    )
    samples = round(bench.seconds * SAMPLE_RATE)
    return Scene("scene1", "Muting", case.seed, samples, sources=sources)


def _source(voice: Voice, number: int, seed: int, session: Path) -> Source:
    name, drawn = f"s{number}", source_seed(seed, number)
    if voice.picture is None:
        words = class_text(voice.kind)
        return Source(name, "text", words, drawn, text=words)
    media = f"media/{name}{voice.picture.suffix}"
    shutil.copyfile(voice.picture, session / media)
    return Source(name, "image", voice.kind, drawn, media=media)


def _muting(scene: Scene, place: int) -> Scene:
    sources = list(scene.sources)
    sources[place] = replace(sources[place], mute=True)
    return replace(scene, sources=tuple(sources))


def _sum(waves: Sequence[Wave]) -> Wave:
    return np.asarray(np.sum([wave.astype(np.float64) for wave in waves], axis=0), dtype=np.float32)
