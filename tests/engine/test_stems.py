"""A mix shared out among its stems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.synthesis.stems import PlacedStem, SharedMix, share_mix
from osc_bridge.errors import Cancelled

LENGTH = 12_000


def noise(seed: int, length: int = LENGTH, level: float = 0.1) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(length) * level).astype("f4")


def tone(hz: float, length: int = LENGTH) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(length) / 48_000)).astype("f4")


def total(shared: SharedMix, placed: list[PlacedStem]) -> np.ndarray:
    out = np.zeros(len(shared.mix))
    for wave, stem in zip(shared.stems, placed, strict=True):
        out[stem.start_sample : stem.start_sample + len(wave)] += wave
    return out


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, LENGTH - 1), st.integers(1, LENGTH), st.floats(0.001, 4), st.booleans()
        ),
        min_size=1,
        max_size=6,
    )
)
def test_stems_add_up_to_the_mix(spans: list[tuple[int, int, float, bool]]) -> None:
    placed = [
        PlacedStem(noise(index, length) * (not silent), start, weight)
        for index, (start, length, weight, silent) in enumerate(spans)
    ]
    shared = share_mix(noise(99, level=0.5), placed)
    assert np.abs(total(shared, placed) - shared.mix).max() < 1e-6
    for wave, stem in zip(shared.stems, placed, strict=True):
        assert len(wave) == min(len(stem.wave), LENGTH - stem.start_sample)
        assert wave.dtype == np.float32


def test_one_source_gets_the_whole_mix() -> None:
    mix = noise(1)
    shared = share_mix(mix, [PlacedStem(noise(2), 0)])
    assert np.array_equal(shared.mix, mix)
    assert np.abs(shared.stems[0] - mix).max() < 1e-6


def test_each_source_gets_what_sounds_like_it() -> None:
    low, high = tone(300), tone(6_000)
    shared = share_mix(low + high, [PlacedStem(low, 0), PlacedStem(high, 0)])
    for stem, wanted in zip(shared.stems, (low, high), strict=True):
        assert np.abs(stem - wanted)[2_048:-2_048].max() < 1e-3


def test_a_heavier_source_gets_more() -> None:
    same = noise(1)
    shared = share_mix(noise(3), [PlacedStem(same, 0, 2.0), PlacedStem(same, 0, 1.0)])
    heavy, light = (float(np.square(stem).sum()) for stem in shared.stems)
    assert heavy > 10 * light


def test_nothing_sounds_before_its_start() -> None:
    shared = share_mix(noise(1), [PlacedStem(noise(2), 6_000), PlacedStem(noise(3, 3_000), 1_000)])
    assert not shared.mix[:1_000].any()
    assert not shared.mix[4_000:6_000].any()
    assert abs(shared.mix[6_000]) < 1e-4, "faded in"


@pytest.mark.parametrize("level", [0.0, 1e-30])
def test_silence_stays_silence(level: float) -> None:
    shared = share_mix(np.zeros(LENGTH, "f4"), [PlacedStem(noise(n) * level, 0) for n in (1, 2)])
    assert not any(stem.any() for stem in (shared.mix, *shared.stems))


def test_a_mix_that_no_stem_explains_is_shared_all_the_same() -> None:
    placed = [PlacedStem(np.zeros(LENGTH, "f4"), 0), PlacedStem(np.zeros(LENGTH, "f4"), 0)]
    shared = share_mix(noise(1), placed)
    assert np.allclose(shared.stems[0], shared.stems[1])
    assert np.abs(total(shared, placed) - shared.mix).max() < 1e-6


@pytest.mark.parametrize("last", [2, 5])
def test_sharing_reports_its_steps_and_can_be_stopped(last: int) -> None:
    steps: list[tuple[int, int]] = []

    def stop(step: int, of: int) -> None:
        steps.append((step, of))
        if step == last:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        share_mix(noise(4), [PlacedStem(noise(number), 0) for number in (1, 2, 3)], stop)
    assert steps == [(step, 6) for step in range(1, last + 1)]
