"""Numbers that the SSV2A paper reports, to stand beside ours; tables as numbered there.

They were measured on other data, with other encoders and a larger model: what can be compared is
the direction in which a number moves, never its size.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DiscriminantRow:
    """One line of Table 7: percent misclassified, entropy R2, -2 log-likelihood (nats)."""

    category: str
    embedding: str
    misclassified: float
    entropy_r2: float
    minus_2_ll: float


@dataclass(frozen=True)
class OpinionRow:
    """One line of Table 2: mean opinion scores (1 to 5) and their deviations."""

    method: str
    relevance: float
    relevance_std: float
    fidelity: float
    fidelity_std: float


OPINIONS = (
    OpinionRow("Diff-Foley-Image", 1.775, 0.799, 1.125, 0.173),
    OpinionRow("Im2Wav", 2.595, 0.736, 2.273, 0.757),
    OpinionRow("S&H-Text", 2.358, 0.845, 2.460, 0.748),
    OpinionRow("V2A-Mapper", 3.063, 1.024, 2.693, 1.210),
    OpinionRow("SSV2A", 4.080, 0.527, 4.098, 0.459),
)
DISCRIMINANTS = (
    DiscriminantRow("Chicken Crowing", "raw", 0.0, 0.996, 0.201),
    DiscriminantRow("Chicken Crowing", "manifold", 35.0, 0.106, 49.587),
    DiscriminantRow("Engine Accelerating", "raw", 0.0, 0.985, 0.846),
    DiscriminantRow("Engine Accelerating", "manifold", 32.5, 0.100, 49.884),
    DiscriminantRow("Fireworks Banging", "raw", 0.0, 0.999, 0.048),
    DiscriminantRow("Fireworks Banging", "manifold", 35.0, 0.146, 47.369),
    DiscriminantRow("Playing Accordion", "raw", 0.0, 0.984, 0.889),
    DiscriminantRow("Playing Accordion", "manifold", 35.0, 0.107, 49.530),
)
DISCRIMINANT_SAMPLES = 40
PARTITIONS = {"raw": 8.473, "manifold": 12.615, "reconstructed": 12.800}
CLASSES = 16
PER_CLASS = 20
LINK = 0.4
