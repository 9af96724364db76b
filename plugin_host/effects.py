"""The literal registry from an effect's name in a preset to pedalboard plugins.

``presets.schema.EFFECTS`` checks names and ranges; this table decides what they mean. Nothing
here is looked up by a string from a file other than the keys of ``_BUILDERS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import pedalboard
from pedalboard import Plugin

from plugin_host.room import Room, impulse_response
from presets.schema import EFFECTS, EffectPreset

Values = Mapping[str, float]
Builder = Callable[[Values, int, int], list[Plugin]]

OFF_DB: Final = -96.0
"""A level at or below this is silence."""

_JUCE_CONVOLUTION_DB: Final = 20 * math.log10(8.0)
"""pedalboard's Convolution scales an impulse response to 1/8 of unit energy (JUCE's
normalisation); this undoes it, so that ``wet_db`` means what it says."""

_SHORT_TAIL_S: Final = 0.05


def build(preset: EffectPreset, sample_rate: int, channels: int) -> list[Plugin]:
    """New plugins for one effect, in order."""
    return _BUILDERS[preset.effect](preset.values, sample_rate, channels)


def tail_s(preset: EffectPreset) -> float:
    """How long the effect sounds on after its input ends, in seconds, to about -60 dB or less."""
    values = preset.values
    if preset.effect == "room":
        return _room(values).length_s
    if preset.effect == "delay":
        return _repeats(values["feedback"]) * values["time_ms"] / 1000
    if preset.effect == "chorus":
        return _repeats(abs(values["feedback"])) * 2 * values["centre_delay_ms"] / 1000 + 0.01
    return _SHORT_TAIL_S if preset.effect not in {"gain", "saturation"} else 0.0


def _repeats(feedback: float) -> float:
    """Rounds until a feedback loop has fallen by 60 dB; one without feedback."""
    return 1 + (math.log(1e-3) / math.log(feedback) if feedback > 0 else 0)


def _gain(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    return [_level(values["gain_db"])]


def _level(gain_db: float) -> Plugin:
    return pedalboard.Gain(gain_db if gain_db > OFF_DB else -math.inf)


def _high_pass(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    order = int(values["order"])
    cutoff = _inside_band(values["cutoff_hz"] * _cascade_shift(order), sample_rate)
    return [pedalboard.HighpassFilter(cutoff) for _ in range(order)]


def _low_pass(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    order = int(values["order"])
    cutoff = _inside_band(values["cutoff_hz"] / _cascade_shift(order), sample_rate)
    return [pedalboard.LowpassFilter(cutoff) for _ in range(order)]


def _cascade_shift(order: int) -> float:
    """First-order filters in a row are together 3 dB down at this multiple of their cutoff."""
    return math.sqrt(2 ** (1 / order) - 1)


def _inside_band(frequency_hz: float, sample_rate: int) -> float:
    return min(frequency_hz, 0.49 * sample_rate)


def _low_shelf(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    return [pedalboard.LowShelfFilter(**_eq(values, sample_rate))]


def _high_shelf(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    return [pedalboard.HighShelfFilter(**_eq(values, sample_rate))]


def _bell(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    return [pedalboard.PeakFilter(**_eq(values, sample_rate))]


def _eq(values: Values, sample_rate: int) -> dict[str, float]:
    return {
        "cutoff_frequency_hz": _inside_band(values["frequency_hz"], sample_rate),
        "gain_db": values["gain_db"],
        "q": values["q"],
    }


def _compressor(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    squeeze = pedalboard.Compressor(
        threshold_db=values["threshold_db"],
        ratio=values["ratio"],
        attack_ms=values["attack_ms"],
        release_ms=values["release_ms"],
    )
    return [squeeze, pedalboard.Gain(values["makeup_db"])]


def _saturation(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    """tanh(g x) / g: quiet sounds pass at unity, peaks round off towards -drive_db dBFS."""
    drive_db = values["drive_db"]
    return [pedalboard.Distortion(drive_db), pedalboard.Gain(-drive_db)]


def _chorus(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    return [
        pedalboard.Chorus(
            rate_hz=values["rate_hz"],
            depth=values["depth"],
            centre_delay_ms=values["centre_delay_ms"],
            feedback=values["feedback"],
            mix=values["mix"],
        )
    ]


def _delay(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    seconds = values["time_ms"] / 1000
    return [pedalboard.Delay(seconds, feedback=values["feedback"], mix=values["mix"])]


def _pitch(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    return [pedalboard.PitchShift(values["semitones"])]


def _room_effect(values: Values, sample_rate: int, channels: int) -> list[Plugin]:
    response = impulse_response(_room(values), sample_rate, channels)
    reverb = pedalboard.Convolution(response, 1.0, sample_rate)
    wet = pedalboard.Chain(
        [reverb, pedalboard.Gain(_JUCE_CONVOLUTION_DB), _level(values["wet_db"])]
    )
    return [pedalboard.Mix([_level(values["dry_db"]), wet])]


def _room(values: Values) -> Room:
    return Room(
        rt60_s=values["rt60_s"],
        size_m=values["size_m"],
        predelay_ms=values["predelay_ms"],
        damping_hz=values["damping_hz"],
        early_db=values["early_db"],
    )


_BUILDERS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "gain": _gain,
        "high_pass": _high_pass,
        "low_pass": _low_pass,
        "low_shelf": _low_shelf,
        "high_shelf": _high_shelf,
        "bell": _bell,
        "compressor": _compressor,
        "saturation": _saturation,
        "chorus": _chorus,
        "delay": _delay,
        "pitch": _pitch,
        "room": _room_effect,
    }
)

assert set(_BUILDERS) == set(EFFECTS), "presets.schema and this registry name the same effects"
