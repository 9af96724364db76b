"""``wildtrack train STAGE``: one command for each, alike but in name."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import click

from engine.training.results import RESULTS, StageName

STAGES: Final[dict[StageName, str]] = {
    "encoder": "Train the audio encoder; give it to train data with --audio-encoder.",
    "manifold": "Train projectors and reconstructor, taught by a mean teacher.",
    "audio2clip": "Train what gives sounds a place among pictures; after manifold.",
    "remixer": "Train the Sound Source Remixer; after manifold, better after audio2clip.",
    "aggregator": "Train Temporal Aggregation over 64 frames; after remixer.",
    "autoencoder": "Train the mel codec.",
    "decoder": "Train the generator; after autoencoder and manifold.",
    "vocoder": "Train what makes mels audible; needs --corpus, the folder that was prepared.",
}
_NEEDS: Final[dict[StageName, str]] = {
    "encoder": "mels and words of sounds",
    "manifold": "embedded sounds with words or pictures",
    "audio2clip": "embedded sounds with words or pictures",
    "remixer": "embedded sounds with mels, or pictures with detected things",
    "aggregator": "embedded sounds with mels, or videos with --frames",
    "autoencoder": "mels of sounds",
    "decoder": "embedded sounds with mels, and words or pictures",
    "vocoder": "embedded sounds",
}
"""What the prepared data must hold."""
_MORE = """

    Reads from --data: {needs}. Leaves {result} in --work, with {stage}.json: settings and figures.

    Run it again to go on after a stop. On several processes or machines, which must all see --work:

    torchrun --nproc-per-node 2 --no-python wildtrack train {stage} ...
"""
_folder = click.Path(file_okay=False, path_type=Path)


def stage_command(stage: StageName) -> click.Command:
    """Return the command of a stage."""

    more = _MORE.format(stage=stage, needs=_NEEDS[stage], result=RESULTS[stage])

    @click.command(stage, help=STAGES[stage] + more, short_help=STAGES[stage])
    @click.option(
        "--data",
        type=_folder,
        required=True,
        multiple=True,
        help="What wildtrack train data made; may be given several times.",
    )
    @click.option(
        "--work",
        type=_folder,
        required=True,
        help="Checkpoints, logs and the models; the same for all stages.",
    )
    @click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"TOML with what differs from presets/training/{stage}.toml.",
    )
    @click.option(
        "--corpus",
        type=_folder,
        help="Folder of the sounds, with cut-outs to paste scenes from; of remixer and vocoder.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
    def command(
        data: tuple[Path, ...],
        work: Path,
        config: Path | None,
        corpus: Path | None,
        *,
        as_json: bool,
    ) -> None:
        from engine.threads import sleep_while_waiting  # noqa: PLC0415

        sleep_while_waiting()
        from engine.training.commands import Shown  # noqa: PLC0415
        from engine.training.course import Folders, silent  # noqa: PLC0415
        from engine.training.run import run_stage  # noqa: PLC0415
        from engine.training.settings import load_settings  # noqa: PLC0415

        settings = load_settings(stage, config)
        is_first = os.environ.get("RANK", "0") == "0"
        with nullcontext() if as_json or not is_first else Shown() as shown:
            progress = shown.stage if shown else silent
            measured = run_stage(stage, settings, Folders(data, work, corpus), progress)
        if is_first:
            result = {"model": str(work / RESULTS[stage]), **measured}
            click.echo(json.dumps(result) if as_json else _told(result))

    return command


def _told(result: dict[str, object]) -> str:
    lines = [
        f"{name.replace('_', ' '):24}{value:.4f}"
        if isinstance(value, float)
        else f"{name:24}{value}"
        for name, value in result.items()
    ]
    return "\n".join(lines)
