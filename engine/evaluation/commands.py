"""``wildtrack evaluate``: generated sounds against real ones, in a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
EMBEDDERS = ("judge", "pack", "aisfx", "vggish", "clap")
JUDGES = ("judge", "aisfx", "vggish", "clap")


@click.command()
@click.argument("generated", type=_folder)
@click.argument("reference", type=_folder)
@click.option("--pairs", type=_file, help="CSV: generated, reference [, class, picture].")
@click.option(
    "--embedder",
    "embedders",
    type=click.Choice(EMBEDDERS),
    multiple=True,
    help="Measures Fréchet distances; may be repeated.  [default: judge, pack]",
)
@click.option(
    "--embeddings",
    type=(_file, _file),
    multiple=True,
    help="Two .npy of generated and reference embeddings (N, D), made elsewhere.",
)
@click.option("--pack", default="starter", show_default=True, help="A pack's name or folder.")
@click.option("--training", type=_folder, help="What the generator learned from: ratio, copies.")
@click.option("--teach", type=_folder, help="Sounds by class that teach the judge: SSMS, classes.")
@click.option(
    "--judge",
    "judges",
    type=click.Choice(JUDGES),
    multiple=True,
    help="What the judge hears by; may be repeated.  [default: judge]",
)
@click.option("--beats", type=_file, help="BEATs' fine-tuned checkpoint, for SSMS as published.")
@click.option("--labels", type=click.IntRange(1, 500), default=10, show_default=True, help="N.")
@click.option("--pictures", type=_folder, help="Pictures named as the generated sounds.")
@click.option(
    "--picture-space",
    type=click.Choice(["pack", "wav2clip"]),
    default="pack",
    show_default=True,
    help="Where sounds and pictures are compared.",
)
@click.option("--offsets", type=_file, help="CSV of Synchformer's outputs, for WMAO.")
@click.option(
    "--draws",
    type=click.IntRange(10, 100_000),
    default=200,
    show_default=True,
    help="Bootstrap draws of an interval.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="Seed of the draws: the same gives the same intervals.",
)
@click.option(
    "--level",
    type=click.FloatRange(50, 99.9),
    default=95.0,
    show_default=True,
    help="Level of the intervals, per cent.",
)
@click.option("--by-class", is_flag=True, help="Print a line for each class, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def evaluate(by_class: bool, as_json: bool, **options: Any) -> None:
    """Measure the sounds in GENERATED against those in REFERENCE.

    Sounds are paired by name, or as --pairs says; sub-folders are classes. A folder laid out as
    docs/training-data.md says counts with its test split (--training: train, --teach: judge).
    Files that cannot be read are listed and left out. Intervals are drawn anew from the seed.
    """
    from engine.evaluation import evaluate as measure  # noqa: PLC0415 - torch is slow to import
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from engine.evaluation.score_table import HEAD, class_rows, left_out, rows  # noqa: PLC0415

    with shown(as_json) as stage:
        found = measure.evaluate(_wish(options), stage)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False))
        return
    _echo_table([HEAD, *rows(found)])
    if by_class and (lines := class_rows(found)):
        _echo_table(lines)
    for line in left_out(found):
        click.echo(line, err=True)


def _wish(options: dict[str, Any]) -> Any:
    """Return the options as a Wish; empty lists mean its defaults."""
    from engine.evaluation.bootstrap import Bootstrap  # noqa: PLC0415
    from engine.evaluation.wish import Wish  # noqa: PLC0415

    how = Bootstrap(options.pop("draws"), options.pop("seed"), options.pop("level") / 100)
    given = {name: value for name, value in options.items() if value not in ((), None)}
    return Wish(how=how, **given)


def _echo_table(lines: Sequence[Sequence[str]]) -> None:
    """Print a table; plain lines separated by tabs when the output is not a terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        for line in lines:
            click.echo("\t".join(line))
        return
    table = Table(*map(escape, lines[0]))
    for line in lines[1:]:
        table.add_row(*map(escape, line))
    console.print(table)
