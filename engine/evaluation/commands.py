"""``wildtrack evaluate``: generated sounds against real ones, or all of the paper's tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from engine.evaluation.paper_parts import PARTS

_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_new_folder = click.Path(file_okay=False, path_type=Path)
EMBEDDERS = ("judge", "pack", "aisfx", "vggish", "clap")
JUDGES = ("judge", "aisfx", "vggish", "clap")
ONLY_PAPER = ("data", "work", "parts", "out")
NOT_PAPER = (
    "generated",
    "reference",
    "pairs",
    "embedders",
    "embeddings",
    "training",
    "teach",
    "judges",
    "labels",
    "pictures",
    "picture_space",
    "by_class",
)


@click.command()
@click.argument("generated", type=_folder, required=False)
@click.argument("reference", type=_folder, required=False)
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
@click.option(
    "--training",
    type=_folder,
    help="What the generator learned from: ratio, copies.",
)
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
@click.option("--paper", is_flag=True, help="Measure the paper's tables at small scale instead.")
@click.option("--data", type=_folder, help="With --paper: the corpus (docs/training-data.md).")
@click.option(
    "--work",
    type=_new_folder,
    default=Path("build/evaluation"),
    show_default=True,
    help="With --paper: keeps sounds and parts; a stopped run goes on.",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    help="With --paper: measure this part; may be repeated.  [default: all]",
)
@click.option(
    "--out",
    type=_new_folder,
    default=Path("docs"),
    show_default=True,
    help="With --paper: where evaluation.md and evaluation.json go.",
)
@click.option("--by-class", is_flag=True, help="Print a line for each class, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
@click.pass_context
def evaluate(context: click.Context, /, paper: bool, as_json: bool, **options: Any) -> None:
    """Measure the sounds in GENERATED against those in REFERENCE.

    Sounds are paired by name, or as --pairs says; sub-folders are classes. A folder laid out as
    docs/training-data.md says counts with its test split (--training: train, --teach: judge).
    Files that cannot be read are listed and left out. Intervals are drawn anew from the seed.

    With --paper instead: go through the paper's tables with a pack and a corpus, part by part, and
    write docs/evaluation.md: its numbers, ours at small scale beside them, and whether the
    directions that it found show here, too.
    """
    _require_fit(context, paper)
    if paper:
        _paper(as_json, options)
        return
    for name in ONLY_PAPER:
        del options[name]
    _folders(as_json, options.pop("by_class"), options)


def _require_fit(context: click.Context, paper: bool) -> None:
    """Raise UsageError for what is missing, and for options of the other way of use."""
    needed = ("data",) if paper else ("generated", "reference")
    if any(context.params[name] is None for name in needed):
        raise click.UsageError(
            "--paper needs the corpus: --data DIR."
            if paper
            else "Give two folders, GENERATED and REFERENCE; or --paper and --data DIR."
        )
    given = [
        name
        for name in (NOT_PAPER if paper else ONLY_PAPER)
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        other = "without" if paper else "with"
        named = {p.name: p.opts[-1] for p in context.command.params}
        raise click.UsageError(f"{', '.join(str(named[n]) for n in given)}: only {other} --paper.")


def _paper(as_json: bool, options: dict[str, Any]) -> None:
    from engine.evaluation import paper_run  # noqa: PLC0415 - torch is slow to import
    from engine.evaluation.paper_bench import Bench  # noqa: PLC0415
    from engine.evaluation.paper_wish import PaperWish  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415

    taken = ("data", "work", "pack", "beats", "offsets", "seed")
    wish = PaperWish(**{name: options[name] for name in taken}, how=_draws(options))
    with shown(as_json) as stage:
        bench = Bench(wish, stage)
        paper_run.measure(bench, options["parts"] or PARTS)
        found = paper_run.figures(bench)
    page = paper_run.write(found, options["out"])
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    for name, why in paper_run.reasons(found):
        click.echo(f"not measured: {name}: {why}", err=True)
    click.echo(f"{len(found['parts'])} of {len(PARTS)} parts are known; the page is {page}.")


def _folders(as_json: bool, by_class: bool, options: dict[str, Any]) -> None:
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


def _draws(options: dict[str, Any]) -> Any:
    from engine.evaluation.bootstrap import Bootstrap  # noqa: PLC0415

    return Bootstrap(options["draws"], options["seed"], options["level"] / 100)


def _wish(options: dict[str, Any]) -> Any:
    """Return the options as a Wish; empty lists mean its defaults."""
    from engine.evaluation.wish import Wish  # noqa: PLC0415

    drawn = ("draws", "seed", "level")
    given = {key: value for key, value in options.items() if key not in drawn}
    given = {key: value for key, value in given.items() if value not in ((), None)}
    return Wish(how=_draws(options), **given)


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
