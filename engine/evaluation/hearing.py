"""One pass over many sounds: whatever listens to them hears each file once.

A file that cannot be read is left out of every measure and listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio import load_audio
from engine.evaluation.folders import Sound
from engine.steps import StepCallback
from osc_bridge.errors import InputError, OutOfRange

Wave = NDArray[np.float32]
Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Probe:
    """What a listener makes of one mono wave (T,) at its rate: rows (R, D), R mostly 1.

    ``is_scaled`` says that its dimensions have units of their own, which a distance must take out.
    """

    name: str
    sample_rate: int
    hear: Callable[[Wave], Rows]
    is_scaled: bool = False


@dataclass(frozen=True)
class Bad:
    """A file that was left out, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Heard:
    """The sounds that could be read, what each probe made of each, and the rest."""

    sounds: tuple[Sound, ...]
    rows: Mapping[str, Sequence[Rows]]
    bad: tuple[Bad, ...]

    def places(self) -> dict[str, int]:
        """Return the row number of each sound by its name."""
        return {sound.name: place for place, sound in enumerate(self.sounds)}

    def firsts(self, probe: str) -> Rows:
        """Return the first row of each sound, (N, D): for probes that give one."""
        return np.stack([rows[0] for rows in self.rows[probe]])


def hear_all(sounds: Sequence[Sound], probes: Sequence[Probe], on_step: StepCallback) -> Heard:
    """Return what every probe makes of every sound; ``on_step`` may raise to stop."""
    kept: list[Sound] = []
    bad: list[Bad] = []
    rows: dict[str, list[Rows]] = {probe.name: [] for probe in probes}
    for step, sound in enumerate(sounds):
        try:
            found = _hear(sound, probes)
        except InputError as error:
            bad.append(Bad(sound.name, str(error)))
        else:
            kept.append(sound)
            for name, heard in found.items():
                rows[name].append(heard)
        on_step(step + 1, len(sounds))
    return Heard(tuple(kept), rows, tuple(bad))


def require(heard: Heard, least: int, what: str) -> None:
    """Raise OutOfRange unless at least ``least`` sounds could be read."""
    if len(heard.sounds) < least:
        why = f" ({heard.bad[0].name}: {heard.bad[0].why})" if heard.bad else ""
        raise OutOfRange(
            f"{len(heard.sounds)} {what} sounds can be read, at least {least} are needed; "
            f"give more{why}."
        )


def _hear(sound: Sound, probes: Sequence[Probe]) -> dict[str, Rows]:
    path = sound.path.resolve()
    waves: dict[int, Wave] = {}
    found = {}
    for probe in probes:
        if probe.sample_rate not in waves:
            waves[probe.sample_rate] = load_audio(path, probe.sample_rate, [path.parent])
        found[probe.name] = np.asarray(probe.hear(waves[probe.sample_rate]), dtype=np.float64)
    return found
