"""``wildtrack manifold``: the manifold analysis of a pack in one HTML report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.evaluation.prepared_options import data_option, folder, split_option

if TYPE_CHECKING:
    from engine.cmss import SSV2A
    from engine.evaluation.manifold_pairs import Choice
    from engine.training.data.prepared import PreparedData


@dataclass(frozen=True)
class _Inputs:
    """What is analysed: prepared folders and a pack, or what a stage of training left."""

    data: tuple[Path, ...]
    pack: str
    model: Path | None


@click.command()
@data_option
@split_option
@click.option("--pack", default="starter", show_default=True, help="A pack's name or folder.")
@click.option(
    "--model",
    type=folder,
    help="What a stage of training left (RUN/manifold), in place of the pack's.",
)
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
    help="Pairs of a class, at most; pictures before words.",
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
def manifold(  # noqa: PLR0913 - one for each option
    *,
    data: tuple[Path, ...],
    split: str,
    pack: str,
    model: Path | None,
    out: Path,
    classes: int,
    each: int,
    seed: int,
    link: float,
    as_json: bool,
) -> None:
    """Analyse a pack's manifold as the paper does (A.3) and write one HTML report."""
    from engine.evaluation.manifold_pairs import Choice  # noqa: PLC0415 - torch is slow to import

    choice = Choice(classes, each, seed, split)
    found = _analyse(_Inputs(data, pack, model), choice, link, as_json, out)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"{found['pairs']} pairs of {len(found['classes'])} classes; the report is {out}.")


def _analyse(
    inputs: _Inputs, choice: Choice, link: float, is_quiet: bool, out: Path
) -> dict[str, Any]:
    from engine.evaluation import manifold_report as report  # noqa: PLC0415
    from engine.evaluation.manifold_analysis import analyse  # noqa: PLC0415
    from engine.evaluation.manifold_pairs import gather  # noqa: PLC0415
    from engine.evaluation.prepared_inputs import digest_of  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from presets.files import write_whole  # noqa: PLC0415

    name, model, data = _opened(inputs)
    pairs = gather(data, choice)
    with shown(is_quiet) as stage:
        analysis = analyse(model, pairs, choice.seed, stage("t-SNE"))
    source = f"{', '.join(each.name for each in inputs.data)} (split {choice.split})"
    subject = report.Subject(name, digest_of(data), source, choice.seed, link)
    write_whole(out, report.write(analysis, pairs, subject).encode())
    return {**report.numbers(analysis, pairs, subject), "report": str(out)}


def _opened(inputs: _Inputs) -> tuple[str, SSV2A, PreparedData]:
    """Return the name of what is analysed, the model and data that it can take."""
    from engine.cmss import load_ssv2a  # noqa: PLC0415
    from engine.evaluation.prepared_inputs import open_for, open_for_trained  # noqa: PLC0415
    from engine.models.pack import find_pack, read_manifest, verify  # noqa: PLC0415

    if inputs.model is not None:
        data = open_for_trained(inputs.model, inputs.data)
        return str(inputs.model), load_ssv2a(inputs.model), data
    place = find_pack(inputs.pack)
    manifest = read_manifest(place)
    data = open_for(manifest, inputs.data)
    verify(place, manifest)
    return f"{manifest.name} {manifest.version}", load_ssv2a(place), data
