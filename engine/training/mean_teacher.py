"""Stage ``manifold``: projectors and reconstructor, taught by a mean teacher (Sec. 3.2, A.2.1).

A teacher is overfitted on the clean pairs. The student begins where it ended, learns from clean and
noisy pairs under noise, and is held near the teacher, which follows it as moving average. Noisy
pairs whose two sides the overfitted teacher finds unlike are discarded, below the elbow that
Kneedle finds in the sorted similarities. Projectors and reconstructor take turns on each batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss import SSV2A, build_ssv2a
from engine.training.course import Course
from engine.training.data.batches import PairBatches, in_order
from engine.training.data.prepared import Selection
from engine.training.data.samples import KINDS
from engine.training.held_out import of_kinds, parted
from engine.training.loop import At, Lesson, fit
from engine.training.losses import ccmr_mask, contrastive, cosine_distance
from engine.training.manifold import blur, contrast_loss, fold, quieten, rebuild_loss
from engine.training.model_sizes import ssv2a_config
from engine.training.settings import ManifoldSettings
from osc_bridge.errors import PackageMissing
from presets.files import writing_whole

AT_ONCE = 512
FEWEST_FOR_AN_ELBOW = 10
Numbers = dict[str, float]


@dataclass(frozen=True)
class FoldData:
    """``clean`` pairs are the teacher's, ``noisy`` ones are filtered; ``held`` ones validate."""

    clean: Selection | None
    noisy: Selection | None
    held: Selection


def train(course: Course, settings: ManifoldSettings) -> Numbers:
    """Train the stage, leave ``manifold/`` in the work folder, and return what was measured."""
    data = fold_data(course, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        model = build_ssv2a(
            ssv2a_config(settings.model, course.data.clip_dim, course.data.clap_dim)
        )
    quieten(model.clip_projector, model.clap_projector, model.reconstructor)
    model.to(course.world.device)
    numbers: Numbers = {}
    chosen = _joined(data.clean, data.noisy)
    if settings.manifold.teacher_steps and data.clean is not None:
        _overfit(course, settings, model, data.clean)
        if data.noisy is not None:
            kept, numbers = _filtered(course, model, data.noisy)
            chosen = _joined(data.clean, kept)
    student = _student(course, settings, model, chosen, data.held)
    course.keep("manifold", student)
    return {**numbers, "pairs": len(chosen.pairs), **measure(student, held_pairs(data.held))}


def fold_data(course: Course, settings: ManifoldSettings) -> FoldData:
    """Return the stage's pairs; words as they are count as noisy, where they are wanted."""
    kinds = [kind for kind in KINDS if kind != "words" or settings.manifold.words]
    parts = parted(course.data, settings.run, kinds)
    noisy = [kind for kind in kinds if kind != "clean"]
    return FoldData(of_kinds(parts.learned, ["clean"]), of_kinds(parts.learned, noisy), parts.held)


def _joined(*selections: Selection | None) -> Selection:
    given = [each for each in selections if each is not None]
    pairs = np.concatenate([each.pairs for each in given])
    return Selection(given[0].data, pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def _lesson(
    course: Course, settings: ManifoldSettings, model: SSV2A, chosen: Selection, is_student: bool
) -> Lesson:
    """Return the lesson of the student, or of the teacher: no noise, nobody to be near to."""
    table, plan = settings.manifold, settings.schedule
    batches = PairBatches(chosen, plan.batch, course.seed, power=settings.run.balance)
    noise = table.noise if is_student else 0.0

    def loss(at: At) -> Tensor:
        pairs = batches[at.step]
        clips, claps = (blur(side, noise, at.generator) for side in (pairs.clips, pairs.claps))
        if at.turn:  # the reconstructor's: what it does not reach needs no gradient
            with torch.no_grad():
                batch = fold(model, clips, claps, at.generator, at.world)
            return rebuild_loss(model, batch, table.reconstruction, at.generator, at.world)
        batch = fold(model, clips, claps, at.generator, at.world)
        total = contrast_loss(model, batch, at.world) + rebuild_loss(
            model, batch, table.reconstruction, at.generator, at.world
        )
        if is_student and table.consistency:
            total = total + table.consistency * _distance_from(
                at.average,
                batch.seen.mu,
                batch.heard.mu,
                at.world.mine(pairs.clips),
                at.world.mine(pairs.claps),
            )
        return total

    turns = [
        [torch.optim.AdamW(p.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)]
        for p in (model.manifold, model.generator)
    ]
    return Lesson(model, loss, turns)


def _distance_from(
    teacher: nn.Module, seen: Tensor, heard: Tensor, clips: Tensor, claps: Tensor
) -> Tensor:
    """Return how far the student's embeddings are from the teacher's of the pairs without noise."""
    assert isinstance(teacher, SSV2A)
    with torch.no_grad():
        wanted = teacher.clip_projector(clips).mu, teacher.clap_projector(claps).mu
    return (cosine_distance(seen, wanted[0]) + cosine_distance(heard, wanted[1])) / 2


def _overfit(course: Course, settings: ManifoldSettings, model: SSV2A, clean: Selection) -> None:
    """Make ``model`` the overfitted teacher."""
    schedule = replace(settings.schedule.schedule, steps=settings.manifold.teacher_steps)
    lesson = _lesson(course, settings, model, clean, is_student=False)
    teacher = fit(lesson, schedule, course.place("manifold-teacher"))
    model.load_state_dict(teacher.state_dict())


def _student(
    course: Course, settings: ManifoldSettings, model: SSV2A, chosen: Selection, held: Selection
) -> SSV2A:
    pairs = held_pairs(held)

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, SSV2A)
        return measure(average, pairs)

    lesson = _lesson(course, settings, model, chosen, is_student=True)
    plan = settings.schedule
    place = course.place("manifold")
    student = fit(replace(lesson, validate=validate), plan.schedule, place, plan.watch)
    assert isinstance(student, SSV2A)
    return student


def _filtered(course: Course, teacher: SSV2A, noisy: Selection) -> tuple[Selection, Numbers]:
    """Return the noisy pairs above the elbow; what is kept is written down and stays so."""
    path = course.work / "manifold-kept.safetensors"
    if course.world.first and not path.exists():
        similar = similarities(teacher.eval(), noisy)
        kept = similar >= elbow(similar)
        with writing_whole(path) as part:
            save_file({"kept": kept, "similarities": similar}, part)
    course.world.wait()
    kept = load_file(path)["kept"].astype(bool)
    return noisy.keep(kept), {"noisy": len(kept), "kept": int(kept.sum())}


@torch.inference_mode()
def similarities(teacher: SSV2A, selection: Selection) -> NDArray[np.float32]:
    """Return the cosine similarity (P,) of both sides of every pair in the manifold."""
    device = teacher.logit_scale.device
    found = []
    for pairs in in_order(selection, AT_ONCE):
        seen = teacher.clip_projector(pairs.clips.to(device)).mu
        heard = teacher.clap_projector(pairs.claps.to(device)).mu
        found.append(functional.cosine_similarity(seen, heard, dim=-1).float().cpu().numpy())
    return np.concatenate(found)


def elbow(similar: NDArray[np.float32]) -> float:
    """Return the least similarity that is kept: Kneedle's elbow of the sorted curve.

    Where the curve has none, or fewer than 10 points, everything is kept.
    """
    try:
        from kneed import KneeLocator  # noqa: PLC0415
    except ImportError as error:
        raise PackageMissing(
            "The package kneed is missing, which finds noisy pairs: "
            'pip install "wildtrack[train]", or set teacher_steps = 0 in the configuration.'
        ) from error
    curve = np.sort(similar)
    if len(curve) < FEWEST_FOR_AN_ELBOW or curve[0] == curve[-1]:
        return float(curve[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no knee found" is an answer
        found = KneeLocator(range(len(curve)), curve, curve="concave", direction="increasing")
    return float(curve[0] if found.knee is None else curve[found.knee])


def held_pairs(held: Selection) -> tuple[Tensor, Tensor]:
    """Return up to 512 held-out pairs (N, clip_dim), (N, clap_dim), each of another sound."""
    batch = PairBatches(held, min(AT_ONCE, len(held.rows)), seed=0)[0]
    return batch.clips, batch.claps


@torch.inference_mode()
def measure(model: SSV2A, pairs: tuple[Tensor, Tensor]) -> Numbers:
    """Return L_c + L_r of the means, and how often the sound of a picture is found (R@1, R@5)."""
    device = model.logit_scale.device
    clips, claps = (side.to(device) for side in pairs)
    seen, heard = model.clip_projector(clips).mu, model.clap_projector(claps).mu
    scale = model.logit_scale.exp().clamp(max=100.0)
    mask = ccmr_mask(clips, claps, model.config.manifold.cr_weight)
    contrast = contrastive(seen, heard, scale, mask)
    rebuilt = [cosine_distance(model.reconstructor(e).mu, claps) for e in (seen, heard)]
    likeness = functional.normalize(seen, dim=-1) @ functional.normalize(heard, dim=-1).T
    own = likeness.diagonal().unsqueeze(1)
    place = (likeness > own).sum(1)
    return {
        "loss": float(contrast + sum(rebuilt) / 2),
        "r_at_1": float((place < 1).float().mean()),
        "r_at_5": float((place < 5).float().mean()),
        "rebuilt_from_clip": 1 - float(rebuilt[0]),
        "held": len(clips),
    }
