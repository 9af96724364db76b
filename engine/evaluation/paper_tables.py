"""The SSV2A paper's tables of metrics, by their numbers there, for a report to stand beside.

V-FAD and C-FAD fall, CS and SSMS rise with quality; WMAO (seconds) falls. None is a score that was
not reported.
"""

from __future__ import annotations

from dataclasses import dataclass

Scores = tuple[float | None, ...]


@dataclass(frozen=True)
class PaperTable:
    """One table: ``rows`` from a name to as many scores as ``head`` has columns."""

    number: int
    title: str
    head: tuple[str, ...]
    rows: dict[str, Scores]


_ALL = ("V-FAD", "C-FAD", "CS", "SSMS")
_BOTH = tuple(f"{kind} {name}" for kind in ("single", "multi") for name in _ALL)
_SETS = (
    *(f"VGG-SS {name}" for name in _ALL),
    *(f"MUSIC {name}" for name in _ALL),
    "ImageHear CS",
)

SINGLE = PaperTable(
    1,
    "Single-source generation",
    _SETS,
    {
        "GroundTruth": (0, 0.171, 13.199, 10, 0, 0, 13.906, 10, None),
        "Oracle": (1.400, 9.983, 12.071, 5.752, 6.430, 25.422, 12.861, 7.777, None),
        "S&H": (16.015, 90.656, 5.901, 1.903, 49.045, 156.898, 4.126, 1.421, 3.417),
        "S&H-Text": (7.118, 37.899, 9.761, 3.685, 25.081, 77.218, 10.259, 5.635, 7.401),
        "Diff-Foley-Image": (14.220, 51.433, 8.281, 2.642, 36.420, 91.631, 7.387, 4.151, 6.992),
        "Diff-Foley": (7.212, 39.309, 11.045, 4.099, 27.633, 79.068, 9.286, 5.899, None),
        "Im2Wav": (7.573, 29.213, 11.011, 4.451, 26.344, 57.596, 8.374, 6.214, 10.758),
        "V2A-Mapper": (1.666, 13.583, 11.842, 4.488, 7.245, 27.657, 12.901, 6.288, 12.689),
        "SSV2A": (2.815, 15.150, 12.215, 4.936, 8.075, 25.390, 13.859, 7.330, 13.930),
    },
)
MULTI = PaperTable(
    1,
    "Multi-source generation",
    _SETS[:-1],
    {
        "GroundTruth": (0, 0.793, 12.344, 10, 0, 0, 13.009, 10),
        "Oracle": (4.356, 31.569, 11.840, 6.447, 1.492, 34.295, 11.658, 6.300),
        "S&H": (21.447, 121.371, 6.594, 2.568, 27.661, 175.708, 3.979, 0.986),
        "S&H-Text": (12.678, 81.944, 9.573, 4.026, 9.887, 105.529, 9.149, 5.223),
        "Diff-Foley-Image": (19.633, 99.661, 8.276, 2.474, 15.254, 111.848, 7.371, 3.950),
        "Diff-Foley": (13.373, 75.829, 12.209, 4.789, 12.423, 105.299, 8.561, 4.843),
        "Im2Wav": (12.915, 64.648, 11.309, 5.132, 12.055, 81.321, 6.426, 5.357),
        "V2A-Mapper": (10.228, 59.660, 11.331, 4.684, 4.490, 48.665, 11.126, 4.907),
        "SSV2A": (6.810, 46.933, 11.744, 5.973, 3.387, 31.115, 12.951, 6.000),
    },
)
SYNCHRONY = PaperTable(
    3,
    "Synchronisation on AVSync15 (WMAO, s)",
    ("top-1", "top-5"),
    {
        "Diff-Foley": (1.227, 1.127),
        "FoleyCrafter": (1.247, 1.167),
        "V2A-Mapper": (1.299, 1.197),
        "SSV2A without temporal aggregation": (1.292, 1.205),
        "SSV2A": (1.243, 1.172),
    },
)
CONDITIONS = PaperTable(
    4,
    "What the Remixer is conditioned on",
    _BOTH,
    {
        "CLIP only": (39.622, 122.127, 3.987, 1.385, 34.378, 119.692, 5.574, 1.579),
        "manifold only": (17.949, 96.045, 6.049, 1.213, 7.689, 48.776, 11.156, 5.553),
        "both": (2.815, 15.150, 12.215, 4.936, 6.810, 46.933, 11.744, 5.973),
    },
)
MASK = PaperTable(
    5,
    "Contrastive mask, alpha",
    _BOTH,
    {
        "0": (13.612, 73.849, 5.838, 1.149, 17.053, 98.747, 5.580, 1.342),
        "0.35": (2.815, 15.150, 12.215, 4.936, 6.810, 46.933, 11.744, 5.973),
        "0.65": (2.877, 16.194, 11.860, 4.356, 9.788, 61.565, 11.397, 4.658),
        "1": (3.323, 16.740, 11.299, 4.075, 10.098, 60.810, 11.585, 4.237),
    },
)
CYCLE_MIX = PaperTable(
    9,
    "Cycle Mix, samples x iterations",
    _BOTH,
    {
        "1 x 1": (2.683, 14.869, 12.364, 5.048, 6.864, 47.219, 11.945, 5.868),
        "4 x 4": (2.762, 14.687, 12.356, 4.921, 6.476, 48.758, 11.721, 5.868),
        "4 x 64": (2.713, 14.980, 12.377, 5.042, 6.814, 48.789, 11.912, 5.921),
        "64 x 4": (2.710, 15.069, 12.390, 5.037, 6.813, 46.963, 11.907, 5.921),
        "64 x 64": (2.815, 15.150, 12.215, 4.936, 6.810, 46.933, 11.744, 5.973),
        "64 x 256": (2.720, 15.567, 12.190, 4.912, 6.755, 47.657, 11.708, 5.816),
        "256 x 64": (2.762, 15.098, 12.404, 4.943, 6.890, 49.605, 11.624, 5.789),
        "256 x 256": (2.876, 15.728, 12.060, 5.022, 7.220, 47.373, 11.577, 5.684),
    },
)
DEPTH = PaperTable(
    10,
    "Depth of projectors and reconstructor",
    _BOTH,
    {
        "A": (6.684, 42.423, 7.974, 3.220, 9.036, 54.437, 10.699, 4.868),
        "B": (2.815, 15.150, 12.215, 4.936, 6.810, 46.933, 11.744, 5.973),
        "C": (6.945, 26.035, 9.868, 3.993, 11.343, 59.819, 9.908, 4.763),
    },
)
LAYERS = PaperTable(
    11,
    "Attention layers of the Remixer",
    _BOTH,
    {
        "1": (2.815, 15.150, 12.215, 4.936, 6.810, 46.933, 11.744, 5.973),
        "2": (2.685, 14.839, 12.545, 5.116, 8.634, 52.697, 11.583, 5.105),
        "4": (2.378, 14.021, 12.716, 4.916, 8.119, 55.639, 11.056, 5.395),
    },
)
TABLES = (SINGLE, MULTI, SYNCHRONY, CONDITIONS, MASK, CYCLE_MIX, DEPTH, LAYERS)
