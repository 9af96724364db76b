"""Chains: null tests, independence of block size, tails, finiteness."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from osc_bridge.errors import BadAudio
from plugin_host.chain import apply_chain, chain_tail_s
from plugin_host.room import Room, impulse_response
from presets.schema import EFFECTS, builtin_chain, chain_names, parse_chain

RATE = 48_000
Audio = NDArray[np.float32]


def noise(channels: int = 1, seconds: float = 0.3, seed: int = 0) -> Audio:
    random = np.random.default_rng(seed)
    return (0.2 * random.standard_normal((channels, round(seconds * RATE)))).astype(np.float32)


def chain_of(*effects: str, channels: str = "mono") -> str:
    tables = "".join(f"[[effects]]\n{body}\n" for body in effects)
    return f'channels = "{channels}"\n{tables}'


def run(audio: Audio, *effects: str, channels: str = "mono") -> Audio:
    return apply_chain(audio, RATE, parse_chain(chain_of(*effects, channels=channels), "t", "t"))


@pytest.mark.parametrize("channels", [1, 2])
def test_dry_is_bit_transparent(channels: int) -> None:
    audio = noise(channels)
    assert np.array_equal(apply_chain(audio, RATE, builtin_chain("dry")), audio)


@pytest.mark.parametrize("name", chain_names())
def test_every_chain_is_finite_repeatable_and_keeps_the_length(name: str) -> None:
    chain = builtin_chain(name)
    audio = noise()
    first = apply_chain(audio, RATE, chain)
    assert np.array_equal(first, apply_chain(audio, RATE, chain))
    assert np.isfinite(first).all()
    assert first.shape[1] >= audio.shape[1]
    assert first.shape[0] == (2 if chain.channels == "stereo" else 1)
    assert np.abs(first).max() < 4


@pytest.mark.parametrize("name", chain_names())
def test_the_block_size_does_not_matter(name: str) -> None:
    chain = builtin_chain(name)
    audio = noise()
    whole = apply_chain(audio, RATE, chain)
    blocks = apply_chain(audio, RATE, chain, block_size=480)
    length = min(whole.shape[1], blocks.shape[1])
    assert abs(whole.shape[1] - blocks.shape[1]) < RATE // 50
    assert np.abs(whole[:, :length] - blocks[:, :length]).max() < 1e-4


@pytest.mark.parametrize("name", chain_names())
def test_silence_stays_silent(name: str) -> None:
    silence = np.zeros((1, 4800), np.float32)
    result = apply_chain(silence, RATE, builtin_chain(name))
    assert result.shape[1] == 4800
    assert np.abs(result).max() < 1e-6


def test_the_input_is_left_alone() -> None:
    audio = noise()
    before = audio.copy()
    apply_chain(audio, RATE, builtin_chain("telephone"))
    assert np.array_equal(audio, before)


def test_a_room_rings_on_and_a_filter_does_not() -> None:
    audio = noise()
    hall = apply_chain(audio, RATE, builtin_chain("hall"))
    assert 1.0 < (hall.shape[1] - audio.shape[1]) / RATE < chain_tail_s(builtin_chain("hall"))
    phone = apply_chain(audio, RATE, builtin_chain("telephone"))
    assert (phone.shape[1] - audio.shape[1]) / RATE < 0.1


def test_the_tail_ends_in_silence() -> None:
    hall = apply_chain(noise(), RATE, builtin_chain("hall"))
    assert np.abs(hall[:, -1]).max() == 0
    assert np.abs(hall[:, -4800:]).max() < 0.002 * np.abs(hall).max()


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize(("effect", "octave_away"), [("low_pass", 2000), ("high_pass", 500)])
def test_cutoff_is_3_db_down_whatever_the_order(effect: str, octave_away: int, order: int) -> None:
    body = f'effect = "{effect}"\ncutoff_hz = 1000\norder = {order}'
    assert response_db(body, 1000) == pytest.approx(-3.01, abs=0.3)
    assert response_db(body, octave_away) < -5.5


def response_db(effect: str, frequency_hz: int) -> float:
    seconds = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * frequency_hz * seconds).astype(np.float32)[None]
    result = run(tone, effect)
    middle = slice(RATE // 4, RATE // 2)
    return float(20 * np.log10(rms(result[:, middle]) / rms(tone[:, middle])))


def rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))


def test_saturation_is_unity_for_quiet_sounds_and_bounded_for_loud_ones() -> None:
    body = 'effect = "saturation"\ndrive_db = 12'
    quiet = noise() * np.float32(0.01)
    assert np.allclose(run(quiet, body), quiet, atol=1e-5)
    loud = noise() * np.float32(20)
    assert np.abs(run(loud, body)).max() <= 10 ** (-12 / 20) + 1e-4


def test_gain_in_db() -> None:
    audio = noise()
    louder = run(audio, 'effect = "gain"\ngain_db = 6')
    assert np.allclose(louder, audio * 10 ** (6 / 20), atol=1e-6)
    off = run(audio, 'effect = "gain"\ngain_db = -96')
    assert not off.any()


def test_pitch_moves_the_spectrum() -> None:
    seconds = np.arange(RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)[None]
    lower = run(tone, 'effect = "pitch"\nsemitones = -12')
    spectrum = np.abs(np.fft.rfft(lower[0, RATE // 4 : 3 * RATE // 4]))
    assert np.argmax(spectrum) * 2 == pytest.approx(500, abs=10)


@pytest.mark.parametrize("rt60_s", [0.4, 1.5])
def test_a_room_decays_as_its_rt60_says(rt60_s: float) -> None:
    response = impulse_response(Room(rt60_s, 8.0, 0.0, 20_000.0, -40.0), RATE, 1)[0]
    energy = np.cumsum(response[::-1].astype(np.float64) ** 2)[::-1]
    decay_db = 10 * np.log10(energy / energy[0])
    start, end = np.searchsorted(-decay_db, [5, 25])
    assert 3 * (end - start) / RATE == pytest.approx(rt60_s, rel=0.15)


def test_wet_level_is_the_ratio_of_reverberant_to_direct() -> None:
    room = 'effect = "room"\nrt60_s = 0.5\ndamping_hz = 20000\nwet_db = -6\ndry_db = -96'
    audio = noise(seconds=1.0)
    wet = run(audio, room)
    ratio_db = 10 * math.log10(np.sum(wet.astype(np.float64) ** 2) / np.sum(audio**2))
    assert ratio_db == pytest.approx(-6, abs=1.0)


def test_a_stereo_room_is_wide_and_keeps_the_power() -> None:
    audio = noise(seconds=1.0)
    result = run(audio, 'effect = "gain"\ngain_db = 0', channels="stereo")
    assert np.sum(result**2) == pytest.approx(np.sum(audio**2), rel=1e-4)
    left, right = apply_chain(audio, RATE, builtin_chain("hall"))
    late = slice(audio.shape[1] + 4800, None)
    assert abs(np.corrcoef(left[late], right[late])[0, 1]) < 0.3


def test_bad_samples_are_refused() -> None:
    audio = noise()
    audio[0, 7] = np.nan
    with pytest.raises(BadAudio, match="NaN"):
        apply_chain(audio, RATE, builtin_chain("near"))
    with pytest.raises(BadAudio, match="channels"):
        apply_chain(np.zeros((3, 8), np.float32), RATE, builtin_chain("near"))


def test_an_empty_sound_passes() -> None:
    assert apply_chain(np.zeros((1, 0), np.float32), RATE, builtin_chain("hall")).shape[1] == 0


EXTREMES = [
    (effect, edge) for effect in EFFECTS for edge in ("lowest", "highest") if effect != "room"
]


@pytest.mark.parametrize(("effect", "edge"), EXTREMES)
def test_the_ends_of_every_range_are_finite(effect: str, edge: str) -> None:
    values = "".join(
        f"{name} = {getattr(limits, edge)}\n" for name, limits in EFFECTS[effect].items()
    )
    assert np.isfinite(run(noise(seconds=0.1), f'effect = "{effect}"\n{values}')).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3000), st.floats(-20, 20, width=32))
def test_any_length_and_level(length: int, level: float) -> None:
    audio = np.full((1, length), level, np.float32)
    result = apply_chain(audio, RATE, builtin_chain("near"))
    assert np.isfinite(result).all()
    assert result.shape[1] >= length
