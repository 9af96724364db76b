"""``wildtrack render``, ``demo`` and ``chains``: options in, one call, a table or JSON out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from osc_bridge.errors import BadPreset
from presets.schema import ChainPreset, PresetError, builtin_chain, chain_names, load_chain

if TYPE_CHECKING:
    from plugin_host.order import Order

JSON_HELP = "Print JSON for a program to read."
PATH = click.Path(path_type=Path)


def _engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    pack = click.option("--pack", default="", help="Model pack, if an engine is started.")
    device = click.option("--device", default="", help="cpu, cuda or mps, if one is started.")
    return pack(device(command))


@click.command()
@click.option("--image", "images", type=PATH, multiple=True, help="Picture; may be repeated.")
@click.option("--text", "texts", multiple=True, help="What should sound; may be repeated.")
@click.option("--audio", "audios", type=PATH, multiple=True, help="Sound file; may be repeated.")
@click.option("--out", type=PATH, required=True, help="Folder for the files; made if missing.")
@click.option("--name", default=None, help="Name of the scene.  [default: name of --out]")
@click.option("--seconds", type=float, default=4.0, show_default=True, help="0.3 to 10.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same sounds.")
@click.option(
    "--stems",
    type=click.Choice(["independent", "consistent"]),
    default="independent",
    show_default=True,
    help="Consistent stems add up to the mix.",
)
@click.option(
    "--quality",
    type=click.Choice(["preview", "final"]),
    default="final",
    show_default=True,
    help="A preview is rougher and about three times as fast.",
)
@click.option("--chain", default=None, help="Effects for every source: a name, or a .toml file.")
@click.option("--mix-chain", default=None, help="Effects for the mix.")
@click.option("--picture", is_flag=True, help="Write a PNG: frame, waveforms, spectrograms.")
@click.option("--creator", default="WT", show_default=True, help="CreatorID in the file names.")
@click.option("--start-sample", type=int, default=0, help="Samples since midnight at 48 kHz.")
@click.option(
    "--session",
    type=PATH,
    default=None,
    envvar="WILDTRACK_SESSION",
    help="Session folder; its running engine is used.  [default: OUT.session]",
)
@_engine_options
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def render(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    images: tuple[Path, ...],
    texts: tuple[str, ...],
    audios: tuple[Path, ...],
    out: Path,
    name: str | None,
    seconds: float,
    seed: int,
    stems: Literal["independent", "consistent"],
    quality: Literal["preview", "final"],
    chain: str | None,
    mix_chain: str | None,
    picture: bool,
    creator: str,
    start_sample: int,
    session: Path | None,
    pack: str,
    device: str,
    as_json: bool,
) -> None:
    """Render pictures, words and sounds into stems and a mix: 48 kHz, 24-bit BWF in OUT.

    Each picture is searched for what sounds. Nothing in OUT is ever overwritten.
    """
    from plugin_host.order import Order  # noqa: PLC0415

    order = Order(
        images=images,
        texts=texts,
        audios=audios,
        out=out,
        name=name if name is not None else out.absolute().name[:80] or "Scene",
        seconds=seconds,
        seed=seed,
        start_sample=start_sample,
        stems=stems,
        quality=quality,
        chain=_chain(chain),
        mix_chain=_chain(mix_chain),
        creator_id=creator,
        picture=picture,
    )
    _render(order, session or session_beside(out), pack, device, as_json)


def session_beside(out: Path) -> Path:
    """The default session of an output folder: ``alley`` has ``alley.session`` beside it."""
    absolute = out.absolute()
    return absolute.with_name(f"{absolute.name or 'wildtrack'}.session")


def _chain(name: str | None) -> ChainPreset | None:
    if name is None:
        return None
    try:
        return load_chain(name)
    except PresetError as error:
        raise BadPreset(str(error)) from error


def _render(order: Order, session: Path, pack: str, device: str, as_json: bool) -> None:
    from plugin_host.order import check_order, check_writable  # noqa: PLC0415

    check_order(order)
    check_writable(session, "--session")

    from plugin_host.console import (  # noqa: PLC0415
        progress_bar,
        rendered_document,
        show_json,
        show_rendered,
    )
    from plugin_host.engine_process import Launch, engine_for  # noqa: PLC0415
    from plugin_host.render import render_order  # noqa: PLC0415

    session.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=as_json) as on_stage:
        on_stage("Start the engine", 0.0)
        with engine_for(Launch(session, pack, device)) as engine:
            rendered = render_order(engine.client, session, order, on_stage)
    if as_json:
        show_json(rendered_document(rendered) | {"engine_start_s": round(engine.started_s, 3)})
    else:
        show_rendered(rendered)


@click.command()
@click.option(
    "--out", type=PATH, default=Path("demo"), show_default=True, help="Folder for the files."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same sounds.")
@_engine_options
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def demo(out: Path, seed: int, pack: str, device: str, as_json: bool) -> None:
    """Render an example scene twice, cold and warm; write files, a picture and the times."""
    from plugin_host.demo import run_demo, show_demo  # noqa: PLC0415

    result = run_demo(out, seed, pack, device, quiet=as_json)
    show_demo(result, as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def chains(as_json: bool) -> None:
    """List the effect chains: names for --chain, and for the field `chain` of a source."""
    from plugin_host.chain import chain_tail_s  # noqa: PLC0415
    from plugin_host.console import show_json, show_table  # noqa: PLC0415

    presets = [builtin_chain(name) for name in chain_names()]
    if as_json:
        show_json(
            [
                {
                    "name": preset.name,
                    "title": preset.title,
                    "summary": preset.summary,
                    "channels": preset.channels,
                    "tail_s": round(chain_tail_s(preset), 2),
                    "effects": [{"effect": e.effect, **e.values} for e in preset.effects],
                }
                for preset in presets
            ]
        )
        return
    rows = [(p.name, p.channels, f"{chain_tail_s(p):.1f}", p.summary) for p in presets]
    show_table(("name", "channels", "tail s", "what it is"), rows, right={2})
