"""What the encoder's pictures go through while it learns."""

from __future__ import annotations

import torch

from engine.perception.mel import MEL
from engine.training.batches import HIDDEN_BANDS, HIDDEN_TIME, blurred, hide, moved
from engine.training.loop import generator_for


def picture(frames: int) -> torch.Tensor:
    return torch.randn(frames, MEL.mels, generator=torch.Generator().manual_seed(3)) - 4


def test_a_moved_picture_keeps_its_frames_and_repeats_its_edge() -> None:
    before = picture(20)
    shifts = set()
    for step in range(40):
        after = moved(before, generator_for(1, step))
        centre = before[:, MEL.mels // 2]
        shifts.add(int((after - centre[:, None]).abs().sum(0).argmin()) - MEL.mels // 2)
        assert after.shape == before.shape
    assert min(shifts) < 0 < max(shifts)


def test_hiding_leaves_most_of_the_picture_and_the_original_alone() -> None:
    before = picture(40)
    kept = before.clone()
    for step in range(20):
        changed = (hide(before, generator_for(1, step)) != before).float().mean()
        assert float(changed) <= HIDDEN_BANDS / MEL.mels + HIDDEN_TIME
    assert torch.equal(before, kept)


def test_a_picture_of_one_frame_can_be_varied() -> None:
    assert blurred(picture(1).T[None], generator_for(1, 1)).shape == (1, MEL.mels, 1)


def test_equal_steps_vary_equally() -> None:
    batch = torch.stack([picture(30).T] * 3)
    first, again = (blurred(batch, generator_for(5, 9)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
