from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from engine.cmss import (
    SSV2A,
    CycleMixSettings,
    SourceEmbedding,
    mix,
    project,
    source_semantics,
)
from engine.cmss.cycle_mix import Score
from osc_bridge.errors import NothingToRender, OutOfRange, TooManySources

Make = Callable[..., list[SourceEmbedding]]
QUICK = CycleMixSettings(iterations=2, samples=2)


def test_a_source_gives_the_same_bits_alone_and_among_others(
    any_model: SSV2A, make_sources: Make
) -> None:
    sources = make_sources(any_model, "vavvaa")
    folds, heard = project(any_model, sources), source_semantics(any_model, sources)
    for i, source in enumerate(sources):
        assert torch.equal(project(any_model, [source])[0], folds[i])
        assert torch.equal(source_semantics(any_model, [source])[0], heard[i])
    reverse = source_semantics(any_model, sources[::-1]).flip(0)
    assert torch.equal(reverse, heard)
    torch.testing.assert_close(heard.norm(dim=-1), torch.ones(len(sources)))


def test_projection_is_the_mean_of_the_modality(model: SSV2A, make_sources: Make) -> None:
    image, sound = make_sources(model, "va")
    folds = project(model, [image, sound])
    torch.testing.assert_close(folds[0], model.clip_projector(image.vector[None]).mu[0])
    torch.testing.assert_close(folds[1], model.clap_projector(sound.vector[None]).mu[0])
    assert not folds.requires_grad


@pytest.mark.parametrize("score", ["mean", "std"])
@pytest.mark.parametrize("kinds", ["v" * 8, "a" * 8, "vavavava", "a", "v" * 7])
def test_any_modalities_up_to_every_slot(
    model: SSV2A, make_sources: Make, kinds: str, score: Score
) -> None:
    settings = CycleMixSettings(2, samples=2, score=score)
    frame = make_sources(model, "v", 8)[0].vector
    for global_clip in (None, frame):
        result = mix(model, make_sources(model, kinds), global_clip, settings)
        assert bool(result.a_mix.isfinite().all())


def test_64_sources_and_a_frame_are_mixed_and_65_refused(
    full_slots_model: SSV2A, make_sources: Make
) -> None:
    model = full_slots_model
    sources = make_sources(model, "va" * 32 + "v")
    frame = make_sources(model, "v", 8)[0].vector
    assert bool(mix(model, sources[:64], frame, QUICK).a_mix.isfinite().all())
    for call in (lambda: mix(model, sources, None, QUICK), lambda: project(model, sources)):
        with pytest.raises(TooManySources, match="65 sources; this pack mixes 1 to 64: remove 1"):
            call()


def test_no_source_is_nothing_to_render(model: SSV2A) -> None:
    with pytest.raises(NothingToRender, match="0 sources"):
        mix(model, [], None, QUICK)


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        (torch.ones(11), r"source 1 has shape \(11,\); this pack takes \(10,\)"),
        (torch.ones(1, 10), r"shape \(1, 10\)"),
        (torch.full((10,), float("nan")), "source 1 holds NaN"),
        (torch.full((10,), float("inf")), "infinity"),
        (torch.zeros(10), "nothing but zeros"),
    ],
)
def test_a_bad_vector_is_named_with_its_cure(
    model: SSV2A, make_sources: Make, vector: torch.Tensor, said: str
) -> None:
    with pytest.raises(OutOfRange, match=said):
        mix(model, [SourceEmbedding("clip", vector)], None, QUICK)
    with pytest.raises(OutOfRange, match="the whole frame"):
        mix(model, make_sources(model, "a"), vector, QUICK)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_bad_weight_is_named(model: SSV2A, make_sources: Make, weight: float) -> None:
    vector = make_sources(model, "v")[0].vector
    with pytest.raises(OutOfRange, match="weight of source 1"):
        mix(model, [SourceEmbedding("clip", vector, weight)], None, QUICK)


def test_weights_that_are_all_zero_have_no_mean(model: SSV2A, make_sources: Make) -> None:
    silent = [SourceEmbedding(s.modality, s.vector, 0.0) for s in make_sources(model, "va")]
    with pytest.raises(OutOfRange, match="all 2 sources are 0"):
        mix(model, silent, None, QUICK)


def test_another_modality_is_refused(model: SSV2A) -> None:
    with pytest.raises(OutOfRange, match="use 'clip' or 'clap'"):
        project(model, [SourceEmbedding("video", torch.ones(10))])  # type: ignore[arg-type]
