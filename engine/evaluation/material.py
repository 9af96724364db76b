"""What a measurement rests on: who listens, what they heard, and which sounds are pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from engine.evaluation import clip_score, nearness
from engine.evaluation.embedders import EMBEDDERS
from engine.evaluation.folders import Pair, by_name, by_table, sounds_of
from engine.evaluation.hearing import Heard, Probe, hear_all, require
from engine.evaluation.labellers import Taught, beats_labeller, taught_judge
from engine.evaluation.wish import Wish
from engine.steps import StepCallback

Stage = Callable[[str], StepCallback]
LEAST = 2


@dataclass(frozen=True)
class Listeners:
    """Who hears every sound: embedders, labellers, and the eyes that pictures are compared by."""

    embedders: tuple[Probe, ...]
    taught: dict[str, Taught]
    space: clip_score.PictureSpace | None
    tokens: Probe | None

    def probes(self) -> list[Probe]:
        """Return every probe for generated and reference sounds, each once."""
        others = [self.space.probe] if self.space else []
        others += [self.tokens] if self.tokens else []
        labellers = [taught.labeller.probe for taught in self.taught.values()]
        return list({p.name: p for p in (*self.embedders, *labellers, *others)}.values())


@dataclass(frozen=True)
class Material:
    """Everything that was heard, and the pairs by row number (generated, reference)."""

    generated: Heard
    reference: Heard
    training: Heard | None
    pairs: tuple[Pair, ...]
    rows: tuple[tuple[int, int], ...]
    missing: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The class of each pair, or ""."""
        return tuple(pair.kind for pair in self.pairs)

    def generated_kinds(self) -> list[str]:
        """Return the class of each generated sound: that of its pair, else its own folder."""
        of = {pair.generated: pair.kind for pair in self.pairs}
        return [of.get(sound.name, "") or sound.kind for sound in self.generated.sounds]

    def reference_kinds(self) -> list[str]:
        """Return the class of each reference sound."""
        of = {pair.reference: pair.kind for pair in self.pairs}
        return [of.get(sound.name, "") or sound.kind for sound in self.reference.sounds]


def listeners_for(wish: Wish, stage: Stage) -> Listeners:
    """Return everyone that the wish needs, taught and loaded."""
    from engine.models.loading import load_pack  # noqa: PLC0415 - torch is slow to import

    pack = cache(lambda: load_pack(wish.pack))
    embedders = {name: EMBEDDERS[name](pack) for name in dict.fromkeys(wish.embedders)}
    taught = {}
    if wish.teach:
        for name in dict.fromkeys(wish.judges):
            ear = embedders.get(name) or EMBEDDERS[name](pack)
            taught[name] = taught_judge(wish.teach, ear, wish.how.seed, stage(f"teach {name}"))
    if wish.beats:
        taught["beats"] = Taught(beats_labeller(wish.beats), 0, ())
    space = clip_score.SPACES[wish.picture_space](pack) if wish.pictures else None
    tokens = nearness.token_probe(wish.pack) if wish.training else None
    return Listeners(tuple(embedders.values()), taught, space, tokens)


def hear(wish: Wish, listeners: Listeners, stage: Stage) -> Material:
    """Return what was heard of every folder, and the pairs of which both sides could be read."""
    sounds = sounds_of(wish.generated, "test"), sounds_of(wish.reference, "test")
    probes = listeners.probes()
    generated = hear_all(sounds[0], probes, stage("generated sounds"))
    require(generated, LEAST, "generated")
    reference = hear_all(sounds[1], probes, stage("reference sounds"))
    require(reference, LEAST, "reference")
    training = None
    if wish.training and listeners.tokens:
        known = [*listeners.embedders, listeners.tokens]
        training = hear_all(sounds_of(wish.training, "train"), known, stage("training sounds"))
        require(training, LEAST, "training")
    if wish.pairs:
        pairs, missing = by_table(wish.pairs, *sounds)
    else:
        pairs, missing = by_name(*sounds), []
    first, second = generated.places(), reference.places()
    whole = [pair for pair in pairs if pair.generated in first and pair.reference in second]
    rows = tuple((first[pair.generated], second[pair.reference]) for pair in whole)
    return Material(generated, reference, training, tuple(whole), rows, tuple(missing))
