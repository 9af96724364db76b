"""``wildtrack baselines``: every method on equal inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.evaluation.prepared_options import data_option, folder, split_option

if TYPE_CHECKING:
    from engine.evaluation.baselines import OwnName, Studio

_file = click.Path(dir_okay=False, path_type=Path)
_pack = click.option(
    "--pack", default="starter", show_default=True, help="A pack's name or folder."
)
_seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**31),
    default=1,
    show_default=True,
    help="The same seed gives the same sounds.",
)
_seconds = click.option(
    "--seconds",
    type=click.FloatRange(0.3, 10.0),
    default=4.0,
    show_default=True,
    help="Length of each sound.",
)
_most = click.option(
    "--most",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Samples, at most; a larger number adds to them.",
)
_preview = click.option("--preview", is_flag=True, help="Render at preview quality.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
_layouts = ("plain", "im2wav", "diff-foley", "seeing-and-hearing", "foleycrafter", "mmaudio")
_own = ("ssv2a", "cascade", "mapper", "oracle", "truth")


def _drawn(command: Callable[..., Any]) -> Callable[..., Any]:
    return split_option(_most(command))


@click.group()
def baselines() -> None:
    """Render and compare methods on equal inputs."""


@baselines.command()
@_json
def layouts(as_json: bool) -> None:
    """List whose outputs are known by name, and what they see."""
    from engine.evaluation.outputs import LAYOUTS  # noqa: PLC0415 - the command line starts fast

    known = {
        name: {"rate_hz": of.rate_hz, "seconds": of.seconds, "frames_per_s": of.frames_per_s}
        for name, of in LAYOUTS.items()
    }
    if as_json:
        click.echo(json.dumps(known))
        return
    for name, of in LAYOUTS.items():
        usual = (
            f"{of.rate_hz} Hz, {of.seconds:g} s" if of.rate_hz else "any rate, one sound an item"
        )
        frames = f", video at {of.frames_per_s:g} frames/s" if of.frames_per_s else ""
        click.echo(f"{name:20} {usual}{frames}")


@baselines.command()
@data_option
@click.option(
    "--work",
    type=folder,
    required=True,
    help="Checkpoint and mapper.safetensors go here; a stopped training goes on from it.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000_000),
    default=1500,
    show_default=True,
    help="Training steps, at most.",
)
@click.option(
    "--hidden",
    type=click.IntRange(1, 16_384),
    default=512,
    show_default=True,
    help="Width of its hidden layer.",
)
@click.option(
    "--any-licence",
    is_flag=True,
    help="Learn also from sounds that may not shape published weights.",
)
@_seed
@_json
def train(
    *,
    data: tuple[Path, ...],
    work: Path,
    steps: int,
    hidden: int,
    any_licence: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Train the V2A-Mapper-like network.

    It learns from the split train, less a few packages that validate it, and is measured on the
    split test. Run it again to go on after a stop.
    """
    from engine.evaluation import mapper_training as training  # noqa: PLC0415 - torch is slow
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from engine.training.data.prepared import PreparedData  # noqa: PLC0415

    plan = training.MapperPlan(steps, hidden, seed, published=not any_licence)
    with shown(as_json) as stage:
        measured = training.train(PreparedData(*data), plan, work, stage("mapper"))
    result = {"mapper": str(work / training.RESULT), **measured}
    if as_json:
        click.echo(json.dumps(result))
        return
    for name, value in result.items():
        said = f"{value:.4f}" if isinstance(value, float) else str(value)
        click.echo(f"{name.replace('_', ' '):20} {said}")


@baselines.command()
@data_option
@click.option(
    "--method",
    type=click.Choice(_own),
    multiple=True,
    required=True,
    help="What to render with; may be repeated. truth needs --library.",
)
@click.option("--mapper", type=_file, help="What wildtrack baselines train wrote.")
@click.option(
    "--library",
    type=folder,
    multiple=True,
    help="The folder that --data was prepared from, for the real sounds.",
)
@click.option("--out", type=folder, required=True, help="One folder a method goes here.")
@_pack
@_drawn
@_seconds
@_seed
@_preview
def render(  # noqa: PLR0913 - one for each option
    *,
    data: tuple[Path, ...],
    method: tuple[OwnName, ...],
    mapper: Path | None,
    library: tuple[Path, ...],
    out: Path,
    pack: str,
    split: str,
    most: int,
    seconds: float,
    seed: int,
    preview: bool,
) -> None:
    """Render prepared samples by several methods.

    All get the same: the picture of a sample, or else its words. OUT/METHOD/CLASS/NAME.wav; a sound
    that is there already is kept. Then: wildtrack evaluate OUT/ssv2a OUT/truth.
    """
    from engine.evaluation.baselines import own_method  # noqa: PLC0415 - torch is slow to import
    from engine.evaluation.conditions import Draw, prepared_conditions, render_all  # noqa: PLC0415
    from engine.evaluation.mapper import load_mapper  # noqa: PLC0415
    from engine.evaluation.prepared_inputs import open_for  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from engine.evaluation.records import begun  # noqa: PLC0415
    from engine.models.pack import file_hash, find_pack, read_manifest  # noqa: PLC0415

    if "truth" in method and not library:
        raise click.UsageError("truth is the real sound: name with --library where it lies.")
    manifest = read_manifest(find_pack(pack))
    known = load_mapper(mapper, manifest.digest) if mapper else None
    prepared = open_for(manifest, data)
    studio = _studio(pack, preview)
    methods = {name: own_method(name, studio, known) for name in dict.fromkeys(method)}
    asked = prepared_conditions(
        studio, prepared, Draw(split, most).rows(prepared), seconds, library
    )
    settings = {"pack": manifest.digest, "seconds": seconds, "preview": preview, "seed": seed}
    with shown(quiet=False) as stage:
        for name, made in methods.items():
            learned = {"mapper": file_hash(mapper)} if mapper and name == "mapper" else {}
            begun(out / name / "render.json", {**settings, **learned}, "sounds")
            left_out = render_all(made, asked, out / name, seed, stage(name))
            for line in left_out:
                click.echo(f"left out: {name}: {line}", err=True)
            click.echo(f"{len(asked) - len(left_out)} sounds are in {out / name}.")


@baselines.command()
@data_option
@click.option(
    "--library",
    type=folder,
    multiple=True,
    required=True,
    help="The folder that --data was prepared from.",
)
@click.option(
    "--layout", type=click.Choice(_layouts[1:]), required=True, help="Whose inputs to write."
)
@click.option("--out", type=folder, required=True, help="A folder for them.")
@_drawn
@_seconds
def inputs(
    *,
    data: tuple[Path, ...],
    library: tuple[Path, ...],
    layout: str,
    out: Path,
    split: str,
    most: int,
    seconds: float,
) -> None:
    """Write still videos for a method that sees videos (A.1).

    Of each sample that render takes, its picture, at that method's frame rate, named as render
    names its sound.
    """
    from engine.evaluation.conditions import Draw, originals  # noqa: PLC0415 - torch is slow
    from engine.evaluation.outputs import layout_of  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from engine.evaluation.stills import write_stills  # noqa: PLC0415
    from engine.training.data.prepared import PreparedData  # noqa: PLC0415

    chosen, prepared = layout_of(layout), PreparedData(*data)
    items = originals(library, prepared, Draw(split, most).rows(prepared))
    with shown(quiet=False) as stage:
        left_out = write_stills(items, out, chosen, seconds, stage("videos"))
    for line in left_out:
        click.echo(f"left out: {line}", err=True)
    click.echo(
        f"{len(items) - len(left_out)} videos at {chosen.frames_per_s:g} frames/s are in {out}."
    )


@baselines.command()
@click.option("--scenes", type=_file, help="A CSV with columns kind, sources, whole.")
@click.option(
    "--data",
    type=folder,
    multiple=True,
    help="What wildtrack train data made: adds frames in which several things were found.",
)
@click.option("--out", type=_file, help="Write an HTML report here.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Seeds that are averaged.",
)
@_pack
@_drawn
@_seconds
@_preview
@_json
def compose(  # noqa: PLR0913 - one for each option
    *,
    scenes: Path | None,
    data: tuple[Path, ...],
    out: Path | None,
    seeds: int,
    pack: str,
    split: str,
    most: int,
    seconds: float,
    preview: bool,
    as_json: bool,
) -> None:
    """Compare composition with the cascade (A.6).

    In scenes of three kinds, in words: interaction, context and style; and in frames of --data.
    """
    from engine.evaluation import compositions as scenery  # noqa: PLC0415
    from engine.evaluation import compositions_report as report  # noqa: PLC0415 - torch is slow
    from engine.evaluation.conditions import Draw  # noqa: PLC0415
    from engine.evaluation.prepared_inputs import open_for  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from presets.files import write_whole  # noqa: PLC0415

    said = scenery.read_compositions(scenes) if scenes else list(scenery.SCENES)
    studio = _studio(pack, preview)
    manifest = studio.pack.manifest
    chosen = scenery.worded(studio, said, seconds)
    if data:
        chosen += scenery.framed(studio, open_for(manifest, data), Draw(split, most), seconds)
    pictures = report.Pictures([scene.composition for scene in chosen])
    ear, ways = scenery.Ear(studio, pictures.keep), scenery.both_ways(studio)
    with shown(as_json) as stage:
        heard = scenery.compare_scenes(chosen, ways, ear, range(1, seeds + 1), stage("scenes"))
    setting = report.Setting(manifest.name, manifest.digest, seconds, studio.quality, seeds)
    if out:
        write_whole(out, report.write(heard, setting, pictures.drawn).encode())
    found = json.dumps(report.numbers(heard, setting))
    click.echo(found if as_json else report.text_table(heard))


def _studio(pack: str, preview: bool) -> Studio:
    from engine.evaluation.baselines import Studio  # noqa: PLC0415 - torch is slow to import
    from engine.models.loading import load_pack  # noqa: PLC0415

    return Studio(load_pack(pack), "preview" if preview else "final")
