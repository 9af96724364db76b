"""Rows of methods on equal inputs, measured by everyone who listens, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.evaluation import clip_score, figures, frechet, recognition
from engine.evaluation.bootstrap import Interval, of_mean
from engine.evaluation.folders import Sound
from engine.evaluation.hearing import Heard, Rows, hear_all
from engine.evaluation.labellers import Labeller
from engine.evaluation.labels import PAPER_LABELS, match, shuffled, top_labels
from engine.evaluation.paper_bench import Bench
from engine.evaluation.paper_items import Item
from engine.evaluation.paper_listeners import labels_of
from engine.steps import no_steps
from osc_bridge.errors import BadCorpus, ModelError, NothingToRender

Measures = dict[str, dict[str, float]]
LEAST = 4
Render = Callable[[], tuple[Path, list[str]]]


@dataclass(frozen=True)
class Section:
    """Items with their real sounds, against which every method's sounds are measured."""

    bench: Bench
    name: str
    items: Sequence[Item]

    @cached_property
    def real(self) -> Heard:
        """What everyone hears of the real sounds."""
        return self.heard(self.bench.real(self.items, self.name), "real")

    @cached_property
    def looks(self) -> dict[str, list[Rows]]:
        """What each space makes of each item's pictures (P, D), P 0 for none."""
        paths = [item.pictures for item in self.items]
        found = {}
        for name, space in self.bench.listeners.spaces.items():
            on_step = self.bench.stage(f"{self.name}: pictures by {name}")
            found[name] = clip_score.look(space, paths, on_step)[0]
        return found

    def heard(self, folder: Path, name: str) -> Heard:
        """Return what everyone hears of the sounds in a folder that belong to items."""
        sounds = [
            Sound(item.name, path, item.kind)
            for item in self.items
            if (path := folder / f"{item.name}.wav").exists()
        ]
        on_step = self.bench.stage(f"{self.name}: hear {name}")
        return hear_all(sounds, self.bench.listeners.probes, on_step)

    def row(self, name: str, render: Render) -> dict[str, Any]:
        """Return a method's row: sounds, those left out, measures; or why there is none."""
        try:
            folder, left_out = render()
            heard = self.heard(folder, name)
        except (ModelError, NothingToRender, BadCorpus) as error:
            return {"sounds": 0, "left_out": [], "measures": {}, "why": str(error)}
        return self._measured(heard, left_out, name)

    def _measured(self, heard: Heard, left_out: Sequence[str], name: str) -> dict[str, Any]:
        found = {"sounds": len(heard.sounds), "left_out": list(left_out), "measures": {}}
        if len(heard.sounds) < LEAST:
            return {**found, "why": f"only {len(heard.sounds)} sounds; {LEAST} are needed."}
        on_step = self.bench.stage(f"{self.name}: measure {name}")
        measures = {**self._distances(heard), **self._labels(heard), **self._pictures(heard)}
        on_step(1, 1)
        return {**found, "measures": measures}

    def _distances(self, heard: Heard) -> Measures:
        found = {}
        for name, probe in self.bench.listeners.embedders.items():
            sets = figures.Sets(heard.rows[name], self.real.rows[name])
            sets = sets.scaled() if probe.is_scaled else sets
            measured = figures.distances(sets, self.bench.wish.how, no_steps)
            found[f"frechet {name}"] = _bounds(measured)
        return found

    def _labels(self, heard: Heard) -> Measures:
        found: Measures = {}
        places = self.real.places()
        partners = [places[sound.name] for sound in heard.sounds]
        kinds = [sound.kind for sound in heard.sounds]
        for name, labeller in self.bench.listeners.labellers.items():
            true, ours = (_scores(labeller, side) for side in (self.real, heard))
            found[f"ssms {name}"] = self._matching(labeller, true[partners], ours)
            named = recognition.name_all(ours, labeller.labels, kinds)
            if named.rows:
                shares = recognition.shares(named, self.bench.wish.how)
                found |= {f"{top} {name}": asdict(share) for top, share in shares.items()}
        return found

    def _matching(self, labeller: Labeller, true: Rows, ours: Rows) -> dict[str, float]:
        """Return SSMS in tenths, whatever its N: 10 is perfect as in the paper."""
        chosen = [top_labels(rows, labels_of(labeller)) for rows in (true, ours)]
        found = of_mean(match(*chosen).f1, self.bench.wish.how)
        return {key: PAPER_LABELS * value for key, value in asdict(found).items()}

    def _pictures(self, heard: Heard) -> Measures:
        found = {}
        for name in self.bench.listeners.spaces:
            rows, looks = self._looked_at(heard, name)
            if looks:
                scores = clip_score.scores(rows, looks)
                found[f"picture {name}"] = asdict(of_mean(scores, self.bench.wish.how))
        return found

    def chance(self) -> dict[str, float]:
        """Return what each measure gives by chance: another draw of real sounds, wrong pairs."""
        return {
            **self._distance_chance(),
            **self._label_chance(),
            **self._picture_chance(),
        }

    def _distance_chance(self) -> dict[str, float]:
        found = {}
        for name, probe in self.bench.listeners.embedders.items():
            rows = self.real.rows[name]
            sets = figures.Sets(rows, rows)
            chosen = (sets.scaled() if probe.is_scaled else sets).reference
            floor = frechet.floor(chosen, len(rows), self.bench.wish.seed)
            found[f"frechet {name}"] = floor
        return found

    def _label_chance(self) -> dict[str, float]:
        found = {}
        for name, labeller in self.bench.listeners.labellers.items():
            chosen = top_labels(_scores(labeller, self.real), labels_of(labeller))
            found[f"ssms {name}"] = PAPER_LABELS * shuffled(chosen, chosen)
            if any(item.kind in labeller.labels for item in self.items):
                for top in recognition.TOPS:
                    found[f"top_{top} {name}"] = min(1.0, top / len(labeller.labels))
        return found

    def _picture_chance(self) -> dict[str, float]:
        found = {}
        for name in self.bench.listeners.spaces:
            heard, looks = self._looked_at(self.real, name)
            if len(looks) > 1:
                found[f"picture {name}"] = clip_score.wrong_pairs(heard, looks)
        return found

    def _looked_at(self, heard: Heard, name: str) -> tuple[Rows, list[Rows]]:
        """Return the sounds (N, D) whose item has pictures, and those pictures (P, D) each."""
        order = {item.name: place for place, item in enumerate(self.items)}
        looks = [self.looks[name][order[sound.name]] for sound in heard.sounds]
        rows = [row for row, seen in enumerate(looks) if len(seen)]
        probe = self.bench.listeners.spaces[name].probe.name
        return heard.firsts(probe)[rows], [looks[row] for row in rows]


def _scores(labeller: Labeller, heard: Heard) -> Rows:
    return labeller.score(heard.rows[labeller.probe.name])


def _bounds(found: Mapping[str, Any]) -> dict[str, float]:
    return asdict(Interval(found["value"], found["low"], found["high"]))
