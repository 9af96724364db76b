"""Stage ``vocoder``: a network that makes log-mel pictures audible, learned from waves.

Shards hold no waves: ``course.folders.corpus`` is the folder that ``wildtrack train data`` read. It
is read as it was then, and each sound is found by the name in its facts; what is not there any more
is left out, and counted. The waves stay in the work folder (``waves-*.safetensors``), the weights
in ``vocoder.safetensors``, from which ``read_vocoder`` takes them for a pack.
"""

from __future__ import annotations

from pathlib import Path

import torch

from engine.models.weights import load_network
from engine.perception.mel import MEL
from engine.synthesis.vocos import Vocos, VocosSettings
from engine.training.course import Course
from engine.training.data.prepared import Selection
from engine.training.held_out import parted
from engine.training.loop import fit, generator_for
from engine.training.mean_teacher import Numbers
from engine.training.scenes import drawing_weights
from engine.training.settings import VocoderSettings
from engine.training.vocoder import HELD_SEED, Players, Segments, compared, lesson, measure
from engine.training.waves import Waves, gather, opened
from engine.training.weight_shapes import weight_shapes
from osc_bridge.errors import BadCheckpoint, BadCorpus, FileMissing

HELD_SEGMENTS = 48


def train(course: Course, settings: VocoderSettings) -> Numbers:
    """Train the stage, leave ``vocoder.safetensors`` in the work folder, return what was measured.

    FileMissing without ``--corpus``, BadCorpus if it has none of the sounds that the data names.
    """
    table, world = settings.vocoder, course.world
    learned, held = _segments(course, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        players = Players(table).to(world.device)
    apart = held.drawn(HELD_SEGMENTS, generator_for(HELD_SEED, 0)).to(world.device)
    plan = settings.schedule
    taught = lesson(players, learned, plan, table, apart)
    trained = fit(taught, plan.schedule, course.place("vocoder"), plan.watch)
    assert isinstance(trained, Players)
    missing = sum(int((each.weights == 0).sum()) for each in (learned, held))
    numbers = {**measure(trained.vocoder, apart), **compared(trained.vocoder, apart)}
    course.keep_network("vocoder", trained.vocoder.cpu())
    return {**numbers, "sounds": len(learned.indices), "missing": missing}


def read_vocoder(path: Path) -> Vocos:
    """Return the vocoder of these weights, on the CPU; sizes are what their shapes tell.

    FileMissing, BadCheckpoint.
    """
    shapes = weight_shapes(path, "vocoder")
    inside = shapes.get("blocks.0.up.weight", [])
    if len(inside) != 2:
        raise BadCheckpoint(f"{path} holds no vocoder; give what the stage vocoder left.")
    layers = sum(name.endswith(".up.weight") for name in shapes)
    settings = VocosSettings(width=inside[1], hidden=inside[0], layers=layers)
    return load_network(lambda: Vocos(settings), path)


def _segments(course: Course, settings: VocoderSettings) -> tuple[Segments, Segments]:
    """Return what is learned from and what is held out; one process reads the sounds for all."""
    if course.folders.corpus is None:
        raise FileMissing(
            "The stage vocoder learns from waves, which prepared data does not hold; name the "
            "folder that was prepared with --corpus."
        )
    parts = parted(course.data, settings.run, (), ("clap",))
    names = [course.data.facts(row).name for row in range(len(course.data))]
    if course.world.first:
        gather(course.folders.corpus, names, course.work, course.progress("waves"))
    course.world.wait()
    waves = opened(names, course.work)
    samples = settings.vocoder.frames * MEL.hop
    learned, held = (
        _of(waves, part, settings.run.balance, samples) for part in (parts.learned, parts.held)
    )
    if not (float(learned.weights.sum()) and float(held.weights.sum())):
        raise BadCorpus(
            f"{course.folders.corpus} has none of the sounds that the data names, "
            f"e.g. {names[0][:80]!r}; give the folder that was prepared as --corpus."
        )
    return learned, held


def _of(waves: Waves, part: Selection, power: float, samples: int) -> Segments:
    indices = part.rows.tolist()
    there = torch.from_numpy(waves.lengths[indices] > 0)
    return Segments(waves, indices, drawing_weights(part, power) * there, samples)
