"""What one training run is: sizes, steps and seed; written into the pack's model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from engine.models.sizes import StarterSizes, starter_sizes, tiny_sizes
from engine.training.loop import Schedule
from osc_bridge.errors import BadCorpus
from presets.files import write_whole

RECORD = "plan.json"
RESULTS = {  # what each stage leaves in the work folder; a stage whose result is there is finished
    "features": "mels.npz",
    "texts": "words.safetensors",
    "pictures": "pictures.safetensors",
    "encoder": "audio_net.safetensors",
    "embeddings": "heard.safetensors",
    "manifold": "manifold/ssv2a.safetensors",
    "remixer": "mixed/ssv2a.safetensors",
    "codec": "codec.safetensors",
    "generator": "generator.safetensors",
}
SCHEDULES = ("encoder", "manifold", "remixer", "codec", "generator")


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


def record(plan: Plan, data: Path, work: Path) -> None:
    """Write plan and data into the work folder; BadCorpus if it holds a run of something else.

    A schedule may change until its stage is finished, so that a training can be cut short.
    """
    path = work / RECORD
    ours = json.loads(json.dumps({**asdict(plan), "data": _hashes(data)}))
    if path.exists():
        theirs = json.loads(path.read_text(encoding="utf-8"))
        finished = [name for name in SCHEDULES if (work / RESULTS[name]).exists()]
        changed = [
            key for key in ("sizes", "seed", "data", *finished) if theirs.get(key) != ours[key]
        ]
        if changed:
            raise BadCorpus(
                f"{work} holds a training run with other {', '.join(changed)}; give another "
                "folder with --work, or remove it to start anew."
            )
    write_whole(path, json.dumps(ours, indent=2, sort_keys=True).encode())


def _hashes(data: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of the tables that say what the corpus is."""
    tables = [data / name for name in ("sounds.csv", "images.csv")]
    return {t.name: hashlib.sha256(t.read_bytes()).hexdigest() for t in tables if t.is_file()}


def starter_plan() -> Plan:
    """Return the plan of the pack inside the install."""
    return Plan(sizes=starter_sizes())


def tiny_plan() -> Plan:
    """Return a plan that goes through every stage in seconds, for tests."""
    few = Schedule(steps=3, warmup=1)
    return Plan(tiny_sizes(), 1, encoder=few, manifold=few, remixer=few, codec=few, generator=few)
