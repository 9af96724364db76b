"""``wildtrack train report``: the command that measures a starter pack."""

from __future__ import annotations

from pathlib import Path

import click

_folder = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--data", type=_folder, required=True, help="The corpus of the training run.")
@click.option(
    "--work",
    type=_folder,
    default=Path("build/starter"),
    show_default=True,
    help="Folder of that run's results between stages; a stopped report goes on from here.",
)
@click.option("--pack", type=_folder, help="The pack.  [default: presets/packs/starter]")
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/starter-sheet.png"),
    show_default=True,
    help="Spectrograms of 30 classes, real and generated.",
)
@click.option(
    "--each",
    type=click.IntRange(1, 16),
    default=8,
    show_default=True,
    help="Held-out sounds of a class, at most; fewer are faster.",
)
@click.option(
    "--guidance",
    type=click.FloatRange(0.0, 20.0),
    multiple=True,
    help="Compare guidances on a few sounds, and write nothing; may be given several times.",
)
def report(
    data: Path, work: Path, pack: Path | None, sheet: Path, each: int, guidance: tuple[float, ...]
) -> None:
    """Measure the starter pack on held-out sounds and write its model card.

    Install aisfx for the second judge: pip install --no-deps aisfx tqdm
    """
    from engine.threads import sleep_while_waiting  # noqa: PLC0415

    sleep_while_waiting()
    from engine.evaluation.report import compare_guidances, write_report  # noqa: PLC0415
    from engine.models.pack import pack_folder  # noqa: PLC0415
    from engine.training.commands import Shown  # noqa: PLC0415
    from engine.training.plan import starter_plan  # noqa: PLC0415
    from engine.training.stages import Run  # noqa: PLC0415

    folder = pack or pack_folder() / "starter"
    run = Run(data, work, starter_plan())
    with Shown() as shown:
        if guidance:
            lines = compare_guidances(run, folder, guidance, shown.stage)
        else:
            write_report(run, folder, sheet, shown.stage, each)
            lines = [f"The model card is {folder / 'README.md'}, the sheet {sheet}."]
    click.echo("\n".join(lines))
