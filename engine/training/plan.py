"""What one training run is: sizes, steps and seed; written into the pack's model card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from engine.models.sizes import StarterSizes, starter_sizes, tiny_sizes
from engine.training.loop import Schedule
from osc_bridge.errors import BadCorpus
from presets.files import write_whole

RECORD = "plan.json"


@dataclass(frozen=True)
class Plan:
    """Sizes of the networks and the schedule of each stage that learns step by step."""

    sizes: StarterSizes
    seed: int = 1
    encoder: Schedule = field(default_factory=lambda: Schedule(steps=2600, warmup=60))
    manifold: Schedule = field(default_factory=lambda: Schedule(steps=1100, warmup=50, ema=0.99))
    remixer: Schedule = field(default_factory=lambda: Schedule(steps=500, ema=0.99))
    codec: Schedule = field(default_factory=lambda: Schedule(steps=900))
    generator: Schedule = field(default_factory=lambda: Schedule(steps=2700, decay=0.4))

    def with_generator_steps(self, steps: int | None) -> Plan:
        """Return the plan with another length of the longest stage."""
        if steps is None:
            return self
        return replace(self, generator=replace(self.generator, steps=steps))

    def record(self, work: Path) -> None:
        """Write the plan into the work folder; BadCorpus if another plan's networks are there."""
        path = work / RECORD
        mine = json.dumps(asdict(self), indent=2, sort_keys=True)
        if path.exists():
            theirs = json.loads(path.read_text(encoding="utf-8"))
            ours = json.loads(mine)
            if any(theirs.get(key) != ours[key] for key in ("sizes", "seed")):
                raise BadCorpus(
                    f"{work} holds a training run of other sizes or another seed; give another "
                    "folder with --work, or remove it to start anew."
                )
        write_whole(path, mine.encode())


def starter_plan() -> Plan:
    """Return the plan of the pack inside the install."""
    return Plan(sizes=starter_sizes())


def tiny_plan() -> Plan:
    """Return a plan that goes through every stage in seconds, for tests."""
    few = Schedule(steps=3, warmup=1)
    return Plan(tiny_sizes(), 1, encoder=few, manifold=few, remixer=few, codec=few, generator=few)
