"""``wildtrack manifold``: the manifold analysis of a pack in one HTML report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class _Pairing:
    """Where the pairs come from and which are chosen."""

    source: Path
    classes: int
    each: int
    seed: int


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--pack", default="starter", show_default=True, help="A pack's name or folder.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("manifold.html"),
    show_default=True,
    help="The report.",
)
@click.option(
    "--classes",
    type=click.IntRange(2, 64),
    default=16,
    show_default=True,
    help="Classes, the most frequent first.",
)
@click.option(
    "--each",
    type=click.IntRange(3, 1000),
    default=20,
    show_default=True,
    help="Pairs of a class, at most.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="Seed of the draw and of t-SNE.",
)
@click.option(
    "--link",
    type=click.FloatRange(-1, 1),
    default=0.4,
    show_default=True,
    help="Chords are drawn above this similarity.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def manifold(
    source: Path,
    pack: str,
    out: Path,
    classes: int,
    each: int,
    seed: int,
    link: float,
    as_json: bool,
) -> None:
    """Analyse a pack's manifold as the paper does (A.3) and write one HTML report.

    SOURCE holds pairs: a folder laid out as docs/training-data.md says (its test split is used),
    a CSV with columns audio, class, and image or text, or an .npz with arrays clips, claps and
    classes that this pack's encoders gave.
    """
    found = _analyse(_Pairing(source, classes, each, seed), pack, link, as_json, out)
    if as_json:
        click.echo(json.dumps(found))
        return
    for line in found["left_out"]:
        click.echo(f"left out: {line}", err=True)
    click.echo(f"{found['pairs']} pairs of {len(found['classes'])} classes; the report is {out}.")


def _analyse(
    pairing: _Pairing, pack_name: str, link: float, quiet: bool, out: Path
) -> dict[str, Any]:
    from engine.evaluation import manifold_report  # noqa: PLC0415 - torch is slow to import
    from engine.evaluation.manifold_analysis import analyse  # noqa: PLC0415
    from engine.evaluation.manifold_pairs import Choice, gather  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from engine.models.loading import load_pack  # noqa: PLC0415
    from presets.files import write_whole  # noqa: PLC0415

    with shown(quiet) as stage:
        pack = load_pack(pack_name)
        choice = Choice(pairing.classes, pairing.each, pairing.seed)
        pairs = gather(pairing.source, choice, lambda: pack, stage("pairs"))
        analysis = analyse(pack.ssv2a, pairs, pairing.seed, stage("t-SNE"))
    subject = manifold_report.Subject(
        pack.manifest.name, pack.manifest.digest, pairing.source.name, pairing.seed, link
    )
    write_whole(out, manifold_report.write(analysis, pairs, subject).encode())
    return {**manifold_report.numbers(analysis, pairs, subject), "report": str(out)}
