from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.cmss import SSV2A, Gaussian, aggregate, load_ssv2a
from engine.cmss.temporal import Aggregator
from osc_bridge.errors import OutOfRange


def test_counts_stand_for_written_out_tokens(any_model: SSV2A) -> None:
    config = any_model.config
    src = torch.randn(2, 3, config.manifold_dim)
    clips = torch.randn(2, 3, config.clip_dim)
    repeats = torch.tensor([1, 2, 5])
    short = any_model.remixer(src, clips, repeats.float())
    long = any_model.remixer(
        src.repeat_interleave(repeats, dim=1), clips.repeat_interleave(repeats, dim=1)
    )
    torch.testing.assert_close(short.mu, long.mu, atol=1e-5, rtol=0)
    torch.testing.assert_close(short.log_var, long.log_var, atol=1e-5, rtol=0)


def test_the_last_layer_may_skip_what_nobody_reads(any_model: SSV2A) -> None:
    encoder = any_model.remixer.styler.style_encoder
    x = torch.randn(1, 7, any_model.config.remixer.styler.embed_dim)
    torch.testing.assert_close(encoder(x, keep=2), encoder(x)[:, :2], atol=1e-6, rtol=0)


def test_slots_have_no_order(any_model: SSV2A) -> None:
    config = any_model.config
    src = torch.randn(1, 6, config.manifold_dim)
    clips = torch.randn(1, 6, config.clip_dim)
    order = torch.randperm(6)
    one, other = any_model.remixer(src, clips), any_model.remixer(src[:, order], clips[:, order])
    torch.testing.assert_close(one.mu, other.mu, atol=1e-5, rtol=0)


def test_mean_of_draws_is_one_draw_of_smaller_variance() -> None:
    gaussian = Gaussian(torch.full((3,), 2.0), torch.tensor([0.0, 1.0, -1.0]))
    samples = gaussian.samples(20_000, torch.Generator().manual_seed(1), draws=16)
    expected = gaussian.log_var.exp() / 16
    torch.testing.assert_close(samples.var(dim=0), expected, rtol=0.05, atol=0)
    torch.testing.assert_close(samples.mean(dim=0), gaussian.mu, rtol=0.01, atol=0)


def test_divergence_is_zero_only_for_the_standard_normal() -> None:
    mu, log_var = torch.randn(4, 5), torch.randn(4, 5)
    assert Gaussian(torch.zeros(4, 5), torch.zeros(4, 5)).kl().tolist() == [0.0] * 4
    normal = torch.distributions.Normal
    reference = torch.distributions.kl_divergence(
        normal(mu, (0.5 * log_var).exp()), normal(torch.zeros(4, 5), torch.ones(4, 5))
    )
    torch.testing.assert_close(Gaussian(mu, log_var).kl(), reference.sum(dim=-1))


def test_samples_carry_gradients_to_every_head(model: SSV2A) -> None:
    model.train()
    for tower, dim in ((model.clip_projector, 10), (model.clap_projector, 18)):
        tower(torch.randn(4, dim)).sample().sum().backward()
        assert float(tower.out_sigma.weight.grad.abs().max()) > 0
    src, clips = torch.randn(2, 8, 12), torch.randn(2, 8, 10)
    mixed = model.remixer(src, clips)
    (mixed.sample().sum() + mixed.kl().sum()).backward()
    assert all(p.grad is not None for p in model.remixer.parameters())


def test_training_drops_whole_tokens_for_the_whole_batch(model: SSV2A) -> None:
    torch.manual_seed(0)
    remixer = model.remixer
    remixer.training = True
    remixer.token_dropout = 1.0
    nothing = torch.zeros(2, 8, 12), torch.zeros(2, 8, 10)
    something = torch.randn(2, 8, 12), torch.randn(2, 8, 10)
    assert torch.equal(remixer(*something).mu, remixer(*nothing).mu)
    remixer.token_dropout = 0.0
    assert not torch.equal(remixer(*something).mu, remixer(*nothing).mu)


@pytest.mark.parametrize("dim", [8, 48])
def test_the_aggregator_reads_the_order_of_frames(dim: int) -> None:
    torch.manual_seed(0)
    aggregator = Aggregator(dim).eval()
    frames = torch.randn(12, dim)
    one = aggregate(aggregator, frames, torch.Generator().manual_seed(1))
    again = aggregate(aggregator, frames, torch.Generator().manual_seed(1))
    reverse = aggregate(aggregator, frames.flip(0), torch.Generator().manual_seed(1))
    assert torch.equal(one, again)
    assert not torch.allclose(one, reverse)
    assert float(one.norm()) == pytest.approx(1.0, abs=1e-5)


def test_the_aggregator_names_its_limits(published: Path) -> None:
    aggregator = load_ssv2a(published).aggregator
    assert aggregator is not None
    for frames in (torch.zeros(0, 64), torch.zeros(1023, 64), torch.zeros(4, 63)):
        with pytest.raises(OutOfRange, match="1 to 1022 frames of 64"):
            aggregate(aggregator, frames, None)
