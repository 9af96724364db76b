"""``wildtrack train data``: from a folder of sounds to shards of embeddings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from engine.training.data.embedding import Encoders, Part
    from engine.training.data.items import Library
    from engine.training.data.stage import DataSettings, Prepared

LAYOUTS = ("auto", "folder", "corpus", "vggsound", "vggss", "music", "imagehear", "avsync15")
_folder = click.Path(file_okay=False, path_type=Path)


def _what(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is read, and by which models."""
    options = (
        click.option(
            "--data",
            type=_folder,
            required=True,
            help="The folder; see docs/training-data.md. Or prepared data, to be heard again by "
            "--audio-encoder.",
        ),
        click.option(
            "--layout",
            type=click.Choice(LAYOUTS),
            default="auto",
            show_default=True,
            help="How it is laid out; auto looks at its lists.",
        ),
        click.option("--licence", default="", help="Licence of files whose table names none."),
        click.option(
            "--pack",
            default="starter",
            show_default=True,
            help="The pack that embeds; none: pictures and words are read, sounds not embedded.",
        ),
        click.option(
            "--audio-encoder",
            type=click.Path(dir_okay=False, path_type=Path),
            help="An audio network that the stage encoder trained, in place of the pack's.",
        ),
        click.option("--device", default="cpu", show_default=True, help="cpu, cuda or mps."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_what
@click.option("--work", type=_folder, required=True, help="Where the shards go.")
@click.option("--mels/--no-mels", default=True, help="Keep log-mel pictures; 7 KB a second.")
@click.option("--pictures/--no-pictures", default=True, help="Look at pictures and videos.")
@click.option("--frames", is_flag=True, help="Look at 64 frames of each video; slow.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Score from which a detected region counts.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="Files a shard; a stopped run goes on after the last whole one.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Threads.  [default: one for each core]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def data(  # noqa: PLR0913 - one for each option
    *,
    data: Path,
    layout: str,
    licence: str,
    pack: str,
    audio_encoder: Path | None,
    device: str,
    work: Path,
    mels: bool,
    pictures: bool,
    frames: bool,
    threshold: float,
    shard_size: int,
    workers: int | None,
    as_json: bool,
) -> None:
    """Prepare any folder of sounds, pictures and videos for training; run again to go on."""
    from engine.training.data.again import is_prepared  # noqa: PLC0415 - torch is slow to import
    from engine.training.data.layouts import read_library  # noqa: PLC0415
    from engine.training.data.stage import DataSettings  # noqa: PLC0415

    wanted: dict[Part, bool] = {
        "mel": mels,
        "clap": True,
        "words": True,
        "pictures": pictures,
        "frames": frames,
    }
    settings = DataSettings(tuple(p for p, is_on in wanted.items() if is_on), threshold, shard_size)
    if work.resolve().is_relative_to(data.resolve()):
        raise click.UsageError("--work lies inside --data; name a folder beside it.")
    if is_prepared(data):
        if audio_encoder is None:
            raise click.UsageError("--data is prepared already; give an --audio-encoder for it.")
        heard = _hear_again(data, audio_encoder, pack, work, as_json)
        click.echo(json.dumps(_as_json(heard)) if as_json else _sentence(heard))
        return
    library = read_library(data, layout, licence)
    encoders = _encoders(pack, audio_encoder, device)
    made = _prepare(library, encoders, settings, work, workers, as_json)
    click.echo(json.dumps(_as_json(made)) if as_json else _sentence(made))


def _encoders(pack: str, audio: Path | None, device: str) -> Encoders:
    from engine.models.loading import load_pack  # noqa: PLC0415
    from engine.training.data.embedding import pack_encoders  # noqa: PLC0415
    from engine.training.data.listening import (  # noqa: PLC0415
        NO_PACK,
        packless_encoders,
        with_audio,
    )

    if pack == NO_PACK:
        encoders = packless_encoders(device)
    else:
        encoders = pack_encoders(load_pack(pack, device))
    return encoders if audio is None else with_audio(encoders, audio, device)


def _hear_again(source: Path, weights: Path, pack: str, work: Path, is_quiet: bool) -> Prepared:
    from engine.steps import no_steps  # noqa: PLC0415
    from engine.training.commands import Shown  # noqa: PLC0415
    from engine.training.data.again import hear_again  # noqa: PLC0415

    with nullcontext() if is_quiet else Shown() as shown:
        on_step = shown.stage("sounds heard again") if shown else no_steps
        return hear_again(source, weights, pack, work, on_step)


def _prepare(
    library: Library,
    encoders: Encoders,
    settings: DataSettings,
    work: Path,
    workers: int | None,
    is_quiet: bool,
) -> Prepared:
    import torch  # noqa: PLC0415

    from engine.steps import no_steps  # noqa: PLC0415
    from engine.training.commands import Shown  # noqa: PLC0415
    from engine.training.data.stage import prepare  # noqa: PLC0415

    torch.set_num_threads(1)  # the threads of the work itself fill the cores
    with nullcontext() if is_quiet else Shown() as shown:
        on_step = shown.stage("data") if shown else no_steps
        return prepare(library, encoders, settings, work, on_step, workers or os.cpu_count() or 1)


def _as_json(made: Prepared) -> dict[str, Any]:
    return {**asdict(made), "folder": str(made.folder)}


def _sentence(made: Prepared) -> str:
    pairs = ", ".join(f"{count} {kind}" for kind, count in sorted(made.pairs.items()))
    bad = f" {made.bad} lines in {made.folder / 'bad.csv'} say what was not used." * bool(made.bad)
    return f"{made.samples} samples with {pairs or 'no'} pairs are in {made.folder}.{bad}"
