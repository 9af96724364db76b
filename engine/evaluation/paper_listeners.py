"""Who listens for ``wildtrack evaluate --paper``: what is installed, and why the rest is not.

``judge`` and ``pack`` always do. The paper's own (VGGish, CLAP, Wav2CLIP, BEATs) and aiSFX do where
a user has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

from engine.evaluation.clip_score import SPACES, PictureSpace
from engine.evaluation.embedders import EMBEDDERS, Pack
from engine.evaluation.hearing import Probe
from engine.evaluation.labellers import Labeller, beats_labeller, taught_judge
from engine.evaluation.labels import PAPER_LABELS
from engine.evaluation.material import Stage
from engine.evaluation.paper_wish import PaperWish
from osc_bridge.errors import WildtrackError

T = TypeVar("T")
OPTIONAL = ("aisfx", "vggish", "clap")
JUDGES = ("judge", "aisfx")
UNREACHED = (WildtrackError, OSError, RuntimeError)  # packages fetch weights by their own ways
NO_BEATS = "BEATs' fine-tuned checkpoint is not here; give one with --beats."


@dataclass(frozen=True)
class PaperListeners:
    """Embedders, labellers and picture spaces by name; ``missing`` says why others are not here."""

    embedders: Mapping[str, Probe]
    labellers: Mapping[str, Labeller]
    spaces: Mapping[str, PictureSpace]
    missing: Mapping[str, str]

    @cached_property
    def probes(self) -> list[Probe]:
        """Every probe, each once."""
        all_of = [
            *self.embedders.values(),
            *(labeller.probe for labeller in self.labellers.values()),
            *(space.probe for space in self.spaces.values()),
        ]
        return list({probe.name: probe for probe in all_of}.values())


def gather(wish: PaperWish, pack: Pack, stage: Stage) -> PaperListeners:
    """Return everyone who can listen here."""
    missing: dict[str, str] = {}
    embedders = {name: EMBEDDERS[name](pack) for name in ("judge", "pack")}
    for name in OPTIONAL:
        _add(embedders, name, partial(EMBEDDERS[name], pack), missing)
    labellers = {
        name: _taught(wish, embedders[name], stage) for name in JUDGES if name in embedders
    }
    if wish.beats is None:
        missing["beats"] = NO_BEATS
    else:
        labellers["beats"] = beats_labeller(wish.beats)
    spaces: dict[str, PictureSpace] = {}
    for name in SPACES:
        _add(spaces, name, partial(_space, name, pack), missing)
    return PaperListeners(embedders, labellers, spaces, missing)


def labels_of(labeller: Labeller) -> int:
    """Return SSMS' N for a labeller: the paper's 10, or half of its labels if it knows few."""
    return max(1, min(PAPER_LABELS, (len(labeller.labels) - 1) // 2))


def _taught(wish: PaperWish, probe: Probe, stage: Stage) -> Labeller:
    return taught_judge(wish.data, probe, wish.seed, stage(f"teach {probe.name}")).labeller


def _space(name: str, pack: Pack) -> PictureSpace:
    """Return a space whose probe goes by its own name: several listen at once."""
    space = SPACES[name](pack)
    return replace(space, probe=replace(space.probe, name=f"pictures by {name}"))


def _add(found: dict[str, T], name: str, make: Callable[[], T], missing: dict[str, str]) -> None:
    try:
        found[name] = make()
    except UNREACHED as error:
        missing[name] = str(error)
