"""How often the detector finds both of two cut-outs pasted on a background.

    python tests/benchmarks/detection.py --corpus DIR [--side held] [--count 100] [--sheet out.png]
    python tests/benchmarks/detection.py --corpus DIR --side dev --seed 11 --fit

The corpus is a folder with ``images.csv`` (columns file, role, alpha) and the pictures it names.
Cut-outs and backgrounds are split by a hash of their names: everything in the detector was chosen
on the ``dev`` side; the ``held`` side is for measuring only. ``--fit`` prints the weights of
`engine.perception.objectness`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.perception import objectness
from engine.perception.base import Box, Detector, Region
from engine.perception.detector import SegmentDetector, load_detector, propose
from engine.perception.image import load_image_encoder
from engine.perception.text import load_text_encoder

MIN_IOU = 0.3
SIDES = ("dev", "held")
MEASURED_SIZES = (0.25, 0.6)
FITTED_SIZES = (0.2, 0.75)


@dataclass(frozen=True)
class Composite:
    """A picture, and where its two things are."""

    picture: Image.Image
    boxes: tuple[Box, ...]
    names: tuple[str, ...]


def pictures(corpus: Path, role: str, side: str) -> list[Path]:
    """Return the pictures of one role on one side of the split, in a stable order."""
    with (corpus / "images.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["role"] == role]
    if role == "cutouts":
        rows = [row for row in rows if row["alpha"] == "1"]
    return [corpus / row["file"] for row in rows if _side(row["file"]) == side]


def _side(name: str) -> str:
    return SIDES[int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2]


def composites(
    corpus: Path, side: str, count: int, seed: int, sizes: tuple[float, float] = MEASURED_SIZES
) -> Iterator[Composite]:
    """Yield pictures with two cut-outs at random places and sizes that do not overlap.

    ``sizes`` bounds the longer edge of a cut-out over the background's shorter edge.
    """
    rng = random.Random(seed)
    cutouts = pictures(corpus, "cutouts", side)
    backgrounds = pictures(corpus, "backgrounds", side)
    for _ in range(count):
        ground = Image.open(rng.choice(backgrounds)).convert("RGB")
        yield _compose(ground, rng.sample(cutouts, 2), sizes, rng)


def _compose(
    ground: Image.Image, files: Sequence[Path], sizes: tuple[float, float], rng: random.Random
) -> Composite:
    while True:
        things = [_scaled(file, rng.uniform(*sizes) * min(ground.size)) for file in files]
        boxes = [_place(thing, ground, rng) for thing in things]
        if not _touch(boxes[0], boxes[1]):
            break
    picture = ground.copy()
    for thing, box in zip(things, boxes, strict=True):
        picture.paste(thing, box[:2], thing)
    return Composite(picture, tuple(boxes), tuple(file.stem for file in files))


def _scaled(file: Path, longer_px: float) -> Image.Image:
    thing = Image.open(file).convert("RGBA")
    solid = thing.getchannel("A").point(lambda alpha: 255 if alpha > 32 else 0).getbbox()
    thing = thing.crop(solid)
    scale = longer_px / max(thing.size)
    return thing.resize((max(8, round(thing.width * scale)), max(8, round(thing.height * scale))))


def _place(thing: Image.Image, ground: Image.Image, rng: random.Random) -> Box:
    x = rng.randint(0, ground.width - thing.width)
    y = rng.randint(0, ground.height - thing.height)
    return x, y, x + thing.width, y + thing.height


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def iou(a: Box, b: Box) -> float:
    """Return intersection over union of two boxes."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    inside = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return inside / (areas - inside)


@dataclass(frozen=True)
class Outcome:
    """What the detector did with one composite."""

    found: int
    extra: int
    seconds: float


def judge(composite: Composite, regions: Sequence[Region], seconds: float) -> Outcome:
    """Count the things that have a box, and the boxes that have no thing."""
    found = sum(any(iou(box, r.box) >= MIN_IOU for r in regions) for box in composite.boxes)
    extra = sum(all(iou(box, r.box) < MIN_IOU for box in composite.boxes) for r in regions)
    return Outcome(found, extra, seconds)


def drawn(composite: Composite, regions: Sequence[Region]) -> Image.Image:
    """Return the composite with true boxes in green and found ones in red."""
    picture = composite.picture.copy()
    pen = ImageDraw.Draw(picture)
    for box in composite.boxes:
        pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline="lime", width=2)
    for rank, region in enumerate(regions):
        x0, y0, x1, y1 = region.box
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline="red")
        pen.text((x0 + 2, y0 + 1), f"{rank} {region.label} {region.score:.2f}", fill="yellow")
    return picture


def sheet(pictures_drawn: Sequence[Image.Image], columns: int = 4) -> Image.Image:
    """Return the pictures side by side."""
    width, height = pictures_drawn[0].size
    rows = -(-len(pictures_drawn) // columns)
    page = Image.new("RGB", (columns * width, rows * height))
    for index, picture in enumerate(pictures_drawn):
        page.paste(picture, (index % columns * width, index // columns * height))
    return page


def run(detector: Detector, cases: Sequence[Composite]) -> tuple[list[Outcome], list[Image.Image]]:
    """Detect in each composite."""
    outcomes, pages = [], []
    for case in cases:
        start = time.perf_counter()
        regions = detector.detect(case.picture)
        outcomes.append(judge(case, regions, time.perf_counter() - start))
        pages.append(drawn(case, regions))
    return outcomes, pages


def report(outcomes: Sequence[Outcome]) -> str:
    """Return the table of figures."""
    count = len(outcomes)
    both = sum(o.found == 2 for o in outcomes) / count
    each = sum(o.found for o in outcomes) / (2 * count)
    extra = sum(o.extra for o in outcomes) / count
    seconds = sorted(o.seconds for o in outcomes)[count // 2]
    return (
        f"composites {count}\nboth found {both:.2f}\neach found {each:.2f}\n"
        f"extra boxes a picture {extra:.1f}\nmedian seconds {seconds:.2f}"
    )


@dataclass(frozen=True)
class Examples:
    """The boxes proposed in one composite: their cues (N, K), and IoU with the nearest thing."""

    names: tuple[str, ...]
    cues: NDArray[np.float64]
    overlap: NDArray[np.float64]


def examples(detector: SegmentDetector, case: Composite) -> Examples:
    """Return what the judge of boxes learns from one composite."""
    boxes = propose(case.picture)
    found = objectness.cues(*detector.evidence(case.picture, boxes))
    overlap = [max(iou(box, true) for true in case.boxes) for box in boxes]
    return Examples(tuple(found), np.stack(list(found.values()), 1), np.array(overlap))


def fitted(cases: Sequence[Examples]) -> dict[str, float]:
    """Return weights and bias that tell boxes at IoU >= 0.5 from those below 0.3."""
    from sklearn.linear_model import LogisticRegression

    cues = np.concatenate([case.cues for case in cases])
    overlap = np.concatenate([case.overlap for case in cases])
    weight = np.concatenate([np.full(len(case.overlap), 1 / len(case.overlap)) for case in cases])
    used, good = (overlap >= 0.5) | (overlap < MIN_IOU), overlap >= 0.5
    weight[good] *= weight[used & ~good].sum() / weight[good].sum()
    weight /= weight[used].mean()
    mean, spread = cues.mean(0), cues.std(0)
    judge = LogisticRegression(C=0.3, max_iter=2000)
    judge.fit(((cues - mean) / spread)[used], good[used], sample_weight=weight[used])
    slopes = judge.coef_[0] / spread
    weights = dict(zip(cases[0].names, slopes.tolist(), strict=True))
    return {**weights, "bias": float(judge.intercept_[0] - slopes @ mean)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--side", choices=SIDES, default="held")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    detector = load_detector(load_image_encoder(load_text_encoder("cpu"), "cpu"))
    if options.fit:
        known = composites(options.corpus, "dev", options.count, options.seed, FITTED_SIZES)
        for name, weight in fitted([examples(detector, case) for case in known]).items():
            print(f'        "{name}": {weight:.3f},')
        return
    cases = list(composites(options.corpus, options.side, options.count, options.seed))
    outcomes, pages = run(detector, cases)
    print(report(outcomes))
    if options.sheet:
        sheet(pages[:24]).save(options.sheet)


if __name__ == "__main__":
    main()
