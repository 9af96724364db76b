from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from engine.cmss import SSV2A, CycleMixSettings, SourceEmbedding, mix, source_semantics
from engine.cmss.cycle_mix import Score, published_cycle_mix
from osc_bridge.errors import BadCheckpoint, Cancelled, OutOfRange

Make = Callable[..., list[SourceEmbedding]]
Certain = Callable[[SSV2A], SSV2A]
QUICK = CycleMixSettings(iterations=5, samples=4, draws=2)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def written_out(
    model: SSV2A, sources: list[SourceEmbedding], frame: Tensor, iterations: int, score: Score
) -> Tensor:
    """Cycle Mix by the letter, without variance: every slot, one after the other."""
    config, slots = model.config, model.config.remixer.slot
    clips, src = torch.zeros(slots, config.clip_dim), torch.zeros(slots, config.manifold_dim)
    audio = any(source.modality == "clap" for source in sources)
    for i in range(slots):
        if i == 0 or (i <= len(sources) and sources[i - 1].modality == "clip"):
            clips[i] = frame if i == 0 else sources[i - 1].vector
            src[i] = model.clip_projector(clips[i]).mu
        elif i <= len(sources):
            src[i] = model.clap_projector(sources[i - 1].vector).mu
        elif score == "std" and not audio:
            src[i] = model.clip_projector(clips[i]).mu
    heard = torch.stack([normalize(model.reconstructor(e).mu, dim=0) for e in src])
    best, best_score = torch.zeros(config.clap_dim), -float("inf")
    for _ in range(iterations + (score == "std")):
        mixed = normalize(model.remixer(src[None], clips[None]).mu[0], dim=0)
        similar = cosine_similarity(mixed[None], heard, dim=-1)
        if score == "std":
            similar[0] = 0.0
            now = -float(similar.std())
        else:
            now = float(similar[1 : len(sources) + 1].mean())
        if now > best_score:
            best, best_score = mixed, now
        src[0] = model.clap_projector(best).mu
    return best


@pytest.mark.parametrize("kinds", ["vva", "v", "aaa", "avavav"])
@pytest.mark.parametrize("score", ["mean", "std"])
@torch.no_grad()
def test_the_fast_path_gives_what_the_written_out_loop_gives(
    any_model: SSV2A, make_sources: Make, certain: Certain, kinds: str, score: Score
) -> None:
    model, sources = certain(any_model), make_sources(any_model, kinds)
    frame = normalize(torch.randn(model.config.clip_dim, generator=seeded()), dim=0)
    for iterations in (1, 6):
        settings = CycleMixSettings(iterations, samples=3, draws=2, score=score)
        fast = mix(model, sources, frame, settings, seeded()).a_mix
        slow = written_out(model, sources, frame, iterations, score)
        torch.testing.assert_close(fast, slow, atol=1e-5, rtol=0)


@pytest.mark.parametrize("score", ["mean", "std"])
def test_sources_have_no_order(
    model: SSV2A, make_sources: Make, certain: Certain, score: Score
) -> None:
    sources = make_sources(certain(model), "vavva")
    settings = CycleMixSettings(3, samples=2, score=score)
    one = mix(model, sources, None, settings, seeded()).a_mix
    other = mix(model, sources[::-1], None, settings, seeded()).a_mix
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("score", ["mean", "std"])
def test_one_seed_gives_one_result(model: SSV2A, make_sources: Make, score: Score) -> None:
    sources = make_sources(model, "vva")
    settings = CycleMixSettings(5, samples=4, draws=2, score=score)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    one, same, other = (mix(model, sources, None, settings, seeded(s)) for s in (1, 1, 2))
    assert one.a_mix.numpy().tobytes() == same.a_mix.numpy().tobytes()
    assert one.score == same.score
    assert not torch.equal(one.a_mix, other.a_mix)
    assert float(one.a_mix.norm()) == pytest.approx(1.0, abs=1e-5)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_global_random_state_is_left_alone(model: SSV2A, make_sources: Make) -> None:
    before = torch.get_rng_state()
    mix(model, make_sources(model, "va"), None, QUICK, seeded())
    assert torch.equal(before, torch.get_rng_state())


def test_more_iterations_never_lower_the_mean_score(model: SSV2A, make_sources: Make) -> None:
    sources = make_sources(model, "vva")
    scores = [
        mix(model, sources, None, CycleMixSettings(n, samples=4, draws=1), seeded()).score
        for n in (1, 2, 8, 32)
    ]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]


def test_the_score_is_the_weighted_mean_similarity(model: SSV2A, make_sources: Make) -> None:
    plain = make_sources(model, "vav")
    weights = torch.tensor([1.0, 0.25, 3.0])
    sources = [
        SourceEmbedding(s.modality, s.vector, float(w)) for s, w in zip(plain, weights, strict=True)
    ]
    result = mix(model, sources, None, QUICK, seeded())
    similar = source_semantics(model, sources) @ result.a_mix
    assert result.score == pytest.approx(float((similar * weights).sum() / weights.sum()), abs=1e-5)


def test_weight_draws_the_mix_towards_a_source(model: SSV2A, make_sources: Make) -> None:
    first, second = make_sources(model, "va")
    settings = CycleMixSettings(iterations=1, samples=64, draws=1)
    heard = source_semantics(model, [first])[0]

    def near(weight: float) -> float:
        pair = [
            SourceEmbedding(first.modality, first.vector, weight),
            SourceEmbedding(second.modality, second.vector, 1.0 - weight),
        ]
        return float(mix(model, pair, None, settings, seeded()).a_mix @ heard)

    assert near(0.0) < near(0.5) < near(1.0)


def test_the_whole_frame_is_heard(model: SSV2A, make_sources: Make, certain: Certain) -> None:
    sources = make_sources(certain(model), "va")
    frame = make_sources(model, "v", 9)[0].vector
    with_frame = mix(model, sources, frame, QUICK, seeded()).a_mix
    assert not torch.allclose(with_frame, mix(model, sources, None, QUICK, seeded()).a_mix)


@pytest.mark.parametrize(("score", "rounds"), [("mean", 5), ("std", 6)])
def test_progress_counts_every_round(
    model: SSV2A, make_sources: Make, score: Score, rounds: int
) -> None:
    steps: list[tuple[int, int]] = []
    settings = CycleMixSettings(5, samples=2, score=score)
    sources = make_sources(model, "v")
    mix(model, sources, None, settings, seeded(), lambda step, of: steps.append((step, of)))
    assert steps == [(n + 1, rounds) for n in range(rounds)]


def test_cancelling_stops_within_one_step(model: SSV2A, make_sources: Make) -> None:
    steps: list[int] = []

    def stop_at_three(step: int, of: int) -> None:
        steps.append(step)
        if step == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        mix(model, make_sources(model, "va"), None, CycleMixSettings(), seeded(), stop_at_three)
    assert steps == [1, 2, 3]


def test_weights_that_give_nan_are_named(model: SSV2A, make_sources: Make) -> None:
    model.remixer.styler.out_mu.bias.data[0] = float("nan")
    with pytest.raises(BadCheckpoint, match="get the pack again"):
        mix(model, make_sources(model, "v"), None, QUICK, seeded())


@pytest.mark.parametrize(
    ("name", "value"),
    [("iterations", 0), ("samples", 0), ("draws", -1), ("samples", 1.5), ("score", "best")],
)
def test_settings_name_what_is_allowed(name: str, value: object) -> None:
    with pytest.raises(OutOfRange, match=name):
        CycleMixSettings(**{name: value})  # type: ignore[arg-type]


def test_no_iterations_are_allowed_for_the_published_score(model: SSV2A) -> None:
    rows = torch.eye(3, model.config.clip_dim), None, torch.tensor([1.0, 1.0, 4.0])
    settings = CycleMixSettings(0, score="std")
    result = published_cycle_mix(model, rows, settings, seeded())
    assert 0.0 < result.score < 1.0
