"""What the paper reports for generated sounds (arXiv 2411.15447, Tables 1 and 3).

FAD by VGGish and CLAP, CLIP-Score (100 times the cosine) and SSMS of 10 labels by BEATs; WMAO in
seconds. Measured on other data and by other judges than ours: compare rows with each other, and
the order of methods with ours, never a number of one table with one of another.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """V-FAD and C-FAD (lower is better), CLIP-Score and SSMS (higher is better)."""

    v_fad: float
    c_fad: float
    clip_score: float
    ssms: float


@dataclass(frozen=True)
class Objective:
    """One line of Table 1; ``image_hear`` is the CLIP-Score there, None where none is given."""

    method: str
    sources: str
    vgg_ss: Scores
    music: Scores
    image_hear: float | None


@dataclass(frozen=True)
class Offset:
    """One line of Table 3: WMAO in seconds over the likeliest and the five likeliest offsets."""

    method: str
    top_1_s: float
    top_5_s: float


OBJECTIVE = (
    Objective(
        "GroundTruth",
        "single",
        Scores(0.0, 0.171, 13.199, 10.0),
        Scores(0.0, 0.0, 13.906, 10.0),
        None,
    ),
    Objective(
        "Oracle",
        "single",
        Scores(1.4, 9.983, 12.071, 5.752),
        Scores(6.43, 25.422, 12.861, 7.777),
        None,
    ),
    Objective(
        "S&H",
        "single",
        Scores(16.015, 90.656, 5.901, 1.903),
        Scores(49.045, 156.898, 4.126, 1.421),
        3.417,
    ),
    Objective(
        "S&H-Text",
        "single",
        Scores(7.118, 37.899, 9.761, 3.685),
        Scores(25.081, 77.218, 10.259, 5.635),
        7.401,
    ),
    Objective(
        "Diff-Foley-Image",
        "single",
        Scores(14.22, 51.433, 8.281, 2.642),
        Scores(36.42, 91.631, 7.387, 4.151),
        6.992,
    ),
    Objective(
        "Diff-Foley",
        "single",
        Scores(7.212, 39.309, 11.045, 4.099),
        Scores(27.633, 79.068, 9.286, 5.899),
        None,
    ),
    Objective(
        "Im2Wav",
        "single",
        Scores(7.573, 29.213, 11.011, 4.451),
        Scores(26.344, 57.596, 8.374, 6.214),
        10.758,
    ),
    Objective(
        "V2A-Mapper",
        "single",
        Scores(1.666, 13.583, 11.842, 4.488),
        Scores(7.245, 27.657, 12.901, 6.288),
        12.689,
    ),
    Objective(
        "SSV2A",
        "single",
        Scores(2.815, 15.15, 12.215, 4.936),
        Scores(8.075, 25.39, 13.859, 7.33),
        13.93,
    ),
    Objective(
        "GroundTruth",
        "multi",
        Scores(0.0, 0.793, 12.344, 10.0),
        Scores(0.0, 0.0, 13.009, 10.0),
        None,
    ),
    Objective(
        "Oracle",
        "multi",
        Scores(4.356, 31.569, 11.84, 6.447),
        Scores(1.492, 34.295, 11.658, 6.3),
        None,
    ),
    Objective(
        "S&H",
        "multi",
        Scores(21.447, 121.371, 6.594, 2.568),
        Scores(27.661, 175.708, 3.979, 0.986),
        None,
    ),
    Objective(
        "S&H-Text",
        "multi",
        Scores(12.678, 81.944, 9.573, 4.026),
        Scores(9.887, 105.529, 9.149, 5.223),
        None,
    ),
    Objective(
        "Diff-Foley-Image",
        "multi",
        Scores(19.633, 99.661, 8.276, 2.474),
        Scores(15.254, 111.848, 7.371, 3.95),
        None,
    ),
    Objective(
        "Diff-Foley",
        "multi",
        Scores(13.373, 75.829, 12.209, 4.789),
        Scores(12.423, 105.299, 8.561, 4.843),
        None,
    ),
    Objective(
        "Im2Wav",
        "multi",
        Scores(12.915, 64.648, 11.309, 5.132),
        Scores(12.055, 81.321, 6.426, 5.357),
        None,
    ),
    Objective(
        "V2A-Mapper",
        "multi",
        Scores(10.228, 59.66, 11.331, 4.684),
        Scores(4.49, 48.665, 11.126, 4.907),
        None,
    ),
    Objective(
        "SSV2A",
        "multi",
        Scores(6.81, 46.933, 11.744, 5.973),
        Scores(3.387, 31.115, 12.951, 6.0),
        None,
    ),
)
OFFSETS = (
    Offset("Diff-Foley", 1.227, 1.127),
    Offset("FoleyCrafter", 1.247, 1.167),
    Offset("V2A-Mapper", 1.299, 1.197),
    Offset("SSV2A without TA", 1.292, 1.205),
    Offset("SSV2A", 1.243, 1.172),
)
