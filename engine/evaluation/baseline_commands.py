"""``wildtrack baselines``: every method on equal inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.evaluation.baselines import Studio

_file = click.Path(dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)
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
_preview = click.option("--preview", is_flag=True, help="Render at preview quality.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
_layouts = ("plain", "im2wav", "diff-foley", "seeing-and-hearing", "foleycrafter", "mmaudio")
_own = ("ssv2a", "cascade", "mapper", "oracle", "truth")


@click.group()
def baselines() -> None:
    """Render and compare methods on equal inputs."""


@baselines.command()
@_json
def layouts(as_json: bool) -> None:
    """List how the outputs of other methods are named, and what they want to see."""
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
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=_file, required=True, help="The mapper, one safetensors file.")
@click.option(
    "--steps",
    type=click.IntRange(1, 10_000_000),
    default=1500,
    show_default=True,
    help="Training steps.",
)
@click.option(
    "--hidden",
    type=click.IntRange(1, 16_384),
    default=512,
    show_default=True,
    help="Width of its hidden layer.",
)
@_pack
@_seed
def train(source: Path, out: Path, steps: int, hidden: int, pack: str, seed: int) -> None:
    """Train the V2A-Mapper-like network on pairs.

    SOURCE is a folder laid out as docs/training-data.md says (its train split with fit licences is
    used), a CSV with columns audio, class, and image or text, or an .npz with arrays clips, claps
    and classes.
    """
    import torch  # noqa: PLC0415 - slow to import

    from engine.evaluation.manifold_pairs import every_pair  # noqa: PLC0415
    from engine.evaluation.mapper import MapperSchedule, save_mapper, train_mapper  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from engine.models.loading import load_pack  # noqa: PLC0415

    with shown(quiet=False) as stage:
        pairs = every_pair(source, lambda: load_pack(pack), stage("pairs"))
        clips, claps = (torch.from_numpy(rows).float() for rows in (pairs.clips, pairs.claps))
        schedule = MapperSchedule(steps=steps, seed=seed)
        mapper = train_mapper(clips, claps, schedule, hidden, stage("mapper"))
    save_mapper(mapper, out)
    for line in pairs.bad:
        click.echo(f"left out: {line}", err=True)
    click.echo(f"The mapper of {len(pairs.labels)} pairs is {out}.")


@baselines.command()
@click.argument("conditions", type=_file)
@click.option(
    "--method",
    type=click.Choice(_own),
    multiple=True,
    required=True,
    help="What to render with; may be repeated.",
)
@click.option("--mapper", type=_file, help="What wildtrack baselines train wrote.")
@click.option("--out", type=_folder, required=True, help="One folder a method goes here.")
@_pack
@_seconds
@_seed
@_preview
def render(
    conditions: Path,
    method: tuple[str, ...],
    mapper: Path | None,
    out: Path,
    pack: str,
    seconds: float,
    seed: int,
    preview: bool,
) -> None:
    """Render CONDITIONS by methods that need no other program.

    A CSV with columns item, and any of image, text, audio, reference, seconds; several texts or
    sounds have | between them. A sound that is there already is kept.
    """
    from engine.evaluation.baselines import own_method  # noqa: PLC0415 - torch is slow to import
    from engine.evaluation.conditions import read_conditions, render_all  # noqa: PLC0415
    from engine.evaluation.mapper import load_mapper  # noqa: PLC0415
    from engine.evaluation.progress import shown  # noqa: PLC0415

    asked = read_conditions(conditions, seconds)
    known = load_mapper(mapper) if mapper else None
    studio = _studio(pack, preview)
    with shown(quiet=False) as stage:
        for name in method:
            made = own_method(name, studio, known)  # type: ignore[arg-type]
            left_out = render_all(made, asked, out / name, seed, stage(name))
            for line in left_out:
                click.echo(f"left out: {name}: {line}", err=True)
            click.echo(f"{len(asked) - len(left_out)} sounds are in {out / name}.")


@baselines.command()
@click.argument("conditions", type=_file)
@click.option(
    "--layout", type=click.Choice(_layouts[1:]), required=True, help="Whose inputs to write."
)
@click.option("--out", type=_folder, required=True, help="A folder for them.")
@_seconds
def inputs(conditions: Path, layout: str, out: Path, seconds: float) -> None:
    """Write the pictures of CONDITIONS as still videos at a method's frame rate (A.1)."""
    from engine.evaluation.conditions import read_conditions, still_video  # noqa: PLC0415
    from engine.evaluation.outputs import layout_of  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    chosen = layout_of(layout)
    pictured = [of for of in read_conditions(conditions, seconds) if of.image]
    for of in pictured:
        assert of.image is not None
        still_video(of.image, out / f"{of.item}.mp4", chosen, of.seconds)
    click.echo(f"{len(pictured)} videos at {chosen.frames_per_s:g} frames/s are in {out}.")


@baselines.command()
@click.option("--scenes", type=_file, help="A CSV with columns kind, sources, whole.")
@click.option("--out", type=_file, help="Write an HTML report here.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Seeds that are averaged.",
)
@_pack
@_seconds
@_preview
@_json
def compose(
    scenes: Path | None,
    out: Path | None,
    seeds: int,
    pack: str,
    seconds: float,
    preview: bool,
    as_json: bool,
) -> None:
    """Compare composition with the cascade: interaction, context, style (A.6)."""
    from engine.evaluation import compositions as scenery  # noqa: PLC0415
    from engine.evaluation import compositions_report as report  # noqa: PLC0415 - torch is slow
    from engine.evaluation.progress import shown  # noqa: PLC0415
    from presets.files import write_whole  # noqa: PLC0415

    chosen = scenery.read_compositions(scenes) if scenes else list(scenery.SCENES)
    studio = _studio(pack, preview)
    pictures = report.Pictures(chosen)
    with shown(as_json) as stage:
        heard = scenery.compare(
            chosen,
            scenery.both_ways(studio),
            scenery.Ear(studio, pictures.keep),
            seconds,
            range(1, seeds + 1),
            stage("scenes"),
        )
    manifest = studio.pack.manifest
    setting = report.Setting(manifest.name, manifest.digest, seconds, studio.quality, seeds)
    if out:
        write_whole(out, report.write(heard, setting, pictures.drawn).encode())
    found = json.dumps(report.numbers(heard, setting))
    click.echo(found if as_json else report.text_table(heard))


def _studio(pack: str, preview: bool) -> Studio:
    from engine.evaluation.baselines import Studio  # noqa: PLC0415 - torch is slow to import
    from engine.models.loading import load_pack  # noqa: PLC0415

    return Studio(load_pack(pack), "preview" if preview else "final")
