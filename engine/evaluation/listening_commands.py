"""``wildtrack listening``: make a blind listening survey, and analyse what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import click

_file = click.Path(dir_okay=False, path_type=Path)


@click.group()
def listening() -> None:
    """Ask people: a blind survey as a folder, and its analysis."""


@listening.command()
@click.argument("items", type=_file)
@click.option(
    "--method",
    "methods",
    multiple=True,
    required=True,
    metavar="NAME[:LAYOUT]=FOLDER",
    help="A method's sounds; give at least two. Layouts: see wildtrack baselines layouts.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="A new folder."
)
@click.option("--title", default="Listening test", show_default=True, help="Heading of the page.")
@click.option(
    "--fidelity",
    type=click.IntRange(0, 500),
    default=20,
    show_default=True,
    help="Questions on how real it sounds.",
)
@click.option(
    "--relevance",
    type=click.IntRange(0, 500),
    default=20,
    show_default=True,
    help="Questions on how well it fits.",
)
@click.option(
    "--repeats",
    type=click.IntRange(0, 50),
    default=3,
    show_default=True,
    help="Questions of a section that come twice, to see who answers alike.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=1,
    show_default=True,
    help="Seed of the draw and of the order.",
)
def make(
    items: Path,
    methods: tuple[str, ...],
    out: Path,
    title: str,
    fidelity: int,
    relevance: int,
    repeats: int,
    seed: int,
) -> None:
    """Make a survey of ITEMS, a CSV with columns item, tag and image.

    Hand out the folder OUT/survey (it works from a disk or any web server); keep OUT/key.csv.
    """
    from engine.evaluation import listening_kit  # noqa: PLC0415 - the command line starts fast
    from engine.evaluation.outputs import parse_method, read_outputs  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415

    named = [parse_method(words) for words in methods]
    if len({name for name, _, _ in named}) != len(named):
        raise click.UsageError("Two --method have one name: each needs a name of its own.")
    chosen = {name: read_outputs(at, how) for name, how, at in named}
    design = listening_kit.Design(title, fidelity, relevance, repeats, seed=seed)
    with shown(quiet=False) as stage:
        known = listening_kit.read_items(items)
        page = listening_kit.make(known, chosen, design, out, stage("samples"))
    click.echo(f"Hand out {page.parent}; keep {out / listening_kit.KEY} to yourself.")


@listening.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--key", type=_file, required=True, help="key.csv of the kit.")
@click.option("--out", type=_file, help="Write an HTML report here.")
@click.option("--ours", default="", help="The method that is compared with the others.")
@click.option(
    "--keep-all", is_flag=True, help="Leave out no rater, whatever they answered; for comparison."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def analyse(
    results: tuple[Path, ...],
    key: Path,
    out: Path | None,
    ours: str,
    keep_all: bool,
    as_json: bool,
) -> None:
    """Analyse RESULTS: tables that participants saved, or folders of them."""
    from engine.evaluation import listening_report  # noqa: PLC0415 - the command line starts fast
    from engine.evaluation.listening_results import read_results  # noqa: PLC0415
    from engine.evaluation.listening_scores import Screening  # noqa: PLC0415
    from presets.files import write_whole  # noqa: PLC0415

    read = read_results(results, key)
    rules = None if keep_all else Screening()
    found = listening_report.survey(read.ratings, read.left_out, rules, ours)
    if out:
        write_whole(out, listening_report.write(found).encode())
    if as_json:
        click.echo(json.dumps(listening_report.numbers(found)))
        return
    click.echo(listening_report.text_table(found))
    for rater, reason in found.rejected.items():
        click.echo(f"left out: rater {rater}: {reason}", err=True)
    for line in found.left_out:
        click.echo(f"left out: {line}", err=True)
