"""``wildtrack train``: the commands that make a pack."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import click

from engine.evaluation.report_command import report
from engine.steps import StepCallback
from engine.training.data.commands import data
from engine.training.stage_commands import STAGES, stage_command

SAY_EVERY_S = 15.0
_folder = click.Path(file_okay=False, path_type=Path)


@click.group()
def train() -> None:
    """Train model packs from a folder of sounds, texts and pictures."""


train.add_command(data)
train.add_command(report)
for _stage in STAGES:
    train.add_command(stage_command(_stage))


@train.command()
@click.option("--data", type=_folder, required=True, help="Corpus; see docs/training-data.md.")
@click.option(
    "--work",
    type=_folder,
    default=Path("build/starter"),
    show_default=True,
    help="Results between stages and checkpoints; a stopped training goes on from here.",
)
@click.option("--out", type=_folder, help="The pack.  [default: presets/packs/starter]")
@click.option(
    "--generator-steps", type=click.IntRange(1, 10_000_000), help="Length of the longest stage."
)
@click.option("--tiny", is_flag=True, help="A toy of three steps a stage; needs --out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def starter(
    data: Path,
    work: Path,
    out: Path | None,
    generator_steps: int | None,
    tiny: bool,
    as_json: bool,
) -> None:
    """Train the starter pack, stage by stage; run it again to go on after a stop."""
    from engine.models.pack import pack_folder  # noqa: PLC0415 - torch is slow to import
    from engine.training.plan import starter_plan, tiny_plan  # noqa: PLC0415
    from engine.training.stages import Run, run_all  # noqa: PLC0415

    if tiny and out is None:
        raise click.UsageError("--tiny makes a toy: name its folder with --out.")
    plan = (tiny_plan() if tiny else starter_plan()).with_generator_steps(generator_steps)
    pack = out or pack_folder() / "starter"
    run = Run(data, work, plan)
    _foretell_card(data)
    started = time.monotonic()
    with nullcontext() if as_json else Shown() as shown:
        run_all(run, pack, shown.stage if shown else _silent)
    seconds = round(time.monotonic() - started, 1)
    result = {"pack": str(pack), "seconds": seconds}
    click.echo(json.dumps(result) if as_json else f"The pack is in {pack} ({seconds:g} s).")


def _foretell_card(data: Path) -> None:
    """Say before hours of training, not after, that the report will have nothing to measure."""
    from engine.training.corpus import read_clips, require_judged  # noqa: PLC0415
    from osc_bridge.errors import BadCorpus  # noqa: PLC0415

    try:
        require_judged(read_clips(data))
    except BadCorpus as error:
        click.echo(f"There will be no model card. {error}", err=True)


def _silent(_: str) -> StepCallback:
    from engine.steps import no_steps  # noqa: PLC0415

    return no_steps


class Shown:
    """One bar a stage on a terminal; a line now and then where the output is piped."""

    def __enter__(self) -> Shown:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress  # noqa: PLC0415

        self._progress = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, name: str) -> StepCallback:
        """Return the callback of a stage that begins now."""
        bar = self._progress.add_task(name)
        said = time.monotonic()

        def on_step(step: int, of: int) -> None:
            nonlocal said
            self._progress.update(bar, completed=step, total=of)
            if self._progress.disable and (time.monotonic() - said > SAY_EVERY_S or step == of):
                click.echo(f"{name}: {step} of {of}", err=True)
                said = time.monotonic()

        return on_step
