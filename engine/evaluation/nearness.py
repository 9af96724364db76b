"""Do generated sounds come nearer to training sounds than other real sounds do?

Distances as in :mod:`engine.evaluation.copies`: tokens of a pack's codec over the active part. The
measure of what is near is how near held-out real sounds come by themselves: the threshold is the
1st percentile of their distances to the nearest training sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.evaluation.bootstrap import Bootstrap, Interval, of_mean
from engine.evaluation.hearing import Heard, Probe, Rows, Wave
from engine.steps import StepCallback

PERCENTILE = 1.0
PROBE = "tokens"


@dataclass(frozen=True)
class Nearest:
    """Of one sound: the nearest training sound and the distance to it."""

    name: str
    training: str
    distance: float


@dataclass(frozen=True)
class Nearness:
    """Medians, the threshold, the share of generated sounds below it, and the nearest of all."""

    generated_median: float
    reference_median: float
    threshold: float
    below: Interval
    nearest: tuple[Nearest, ...]


def token_probe(pack: str) -> Probe:
    """Return the codec tokens of a sound: rows (LONGEST, dims + 1), the last column 1 if active."""
    import torch  # noqa: PLC0415 - slow to import

    from engine.evaluation.copies import LONGEST, tokens_of  # noqa: PLC0415
    from engine.models.loading import load_codec  # noqa: PLC0415
    from engine.models.pack import find_pack, read_manifest  # noqa: PLC0415
    from engine.perception.mel import MEL, log_mel  # noqa: PLC0415

    folder = find_pack(pack)
    codec = load_codec(folder, read_manifest(folder))

    def hear(wave: Wave) -> Rows:
        with torch.inference_mode():
            tokens, active = tokens_of(codec, log_mel(torch.from_numpy(wave)))
        inside = np.arange(LONGEST) < active
        return np.concatenate([tokens.numpy(), inside[:, None]], axis=1)

    return Probe(PROBE, MEL.sample_rate, hear)


def measure(
    generated: Heard, reference: Heard, training: Heard, how: Bootstrap, on_step: StepCallback
) -> Nearness:
    """Return how near generated and held-out real sounds come to training sounds."""
    total = len(generated.sounds) + len(reference.sounds)

    def stepped(offset: int) -> StepCallback:
        return lambda step, of: on_step(offset + step, total)

    ours = _nearest(generated, training, stepped(0))
    theirs = _nearest(reference, training, stepped(len(generated.sounds)))
    limit = float(np.percentile([near.distance for near in theirs], PERCENTILE))
    distances = np.array([near.distance for near in ours])
    return Nearness(
        float(np.median(distances)),
        float(np.median([near.distance for near in theirs])),
        limit,
        of_mean((distances < limit).astype(np.float64), how),
        tuple(sorted(ours, key=lambda near: near.distance)[:5]),
    )


def _nearest(of: Heard, training: Heard, on_step: StepCallback) -> list[Nearest]:
    import torch  # noqa: PLC0415 - slow to import

    from engine.evaluation.copies import Index, nearest_to  # noqa: PLC0415

    known = np.stack(training.rows[PROBE]).astype(np.float32)
    index = Index(torch.from_numpy(known[..., :-1]), torch.from_numpy(known[..., -1].sum(1)).long())
    found = []
    for step, (sound, rows) in enumerate(zip(of.sounds, of.rows[PROBE], strict=True)):
        tokens = torch.from_numpy(rows[:, :-1].astype(np.float32))
        row, distance = nearest_to(index, tokens, int(rows[:, -1].sum()))
        found.append(Nearest(sound.name, training.sounds[row].name, distance))
        on_step(step + 1, len(of.sounds))
    return found
