"""One render from order to files: sources in, take out of the engine, effects, delivery."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from osc_bridge.client import Client
from osc_bridge.errors import SessionNotWritable
from osc_bridge.events import Progress
from plugin_host.deliver import DeliverySettings, deliver, folder_error
from plugin_host.items import Delivery
from plugin_host.order import Order
from plugin_host.picture import draw_delivery
from plugin_host.take import Take, read_take
from presets.schema import ChainPreset, PresetError, builtin_chain

INCOMING: Final = "incoming"
"""Folder of a session for files on their way in: an engine reads only inside its session."""

OnStage = Callable[[str, float], None]
"""Called with what is being done and the fraction of it, 0 to 1."""


Arrange = Callable[[Client, str], None]
"""Called with the scene's id when its sources are there."""


@dataclass(frozen=True)
class Rendered:
    """What one order became."""

    take: Take
    delivery: Delivery
    picture: Path | None
    timings_s: dict[str, float]


def render_order(client: Client, session: Path, order: Order, on_stage: OnStage) -> Rendered:
    """Add the sources, render, deliver; the order must have passed ``check_order``.

    Ctrl-C cancels the engine's job and leaves no file in ``order.out``. Raises what the engine
    answers and what ``deliver`` raises.
    """
    return render_scene(client, session, order, on_stage, lambda _client, _scene: None)


def render_scene(
    client: Client, session: Path, order: Order, on_stage: OnStage, arrange: Arrange
) -> Rendered:
    """As ``render_order``; ``arrange`` may set fields of the sources before the render."""
    begin_s = time.perf_counter()
    scene = add_sources(client, session, order, on_stage)
    arrange(client, scene)
    perceived_s = time.perf_counter()
    made = client.render(scene, order.stems, order.quality, _progress_to(on_stage))
    rendered_s = time.perf_counter()
    take = read_take(Path(made.path), session)
    settings = DeliverySettings(order.creator_id, order.chain, order.mix_chain)
    delivery = deliver(take, order.out, settings, lambda done, of: on_stage("Effects", done / of))
    effects_s = time.perf_counter()
    picture = _draw(take, delivery, on_stage) if order.picture else None
    ended_s = time.perf_counter()
    own = {"perceive": perceived_s - begin_s, "effects": effects_s - rendered_s}
    own |= {"picture": ended_s - effects_s} if picture else {}
    return Rendered(take, delivery, picture, take.timings_s | own | {"total": ended_s - begin_s})


def add_sources(client: Client, session: Path, order: Order, on_stage: OnStage) -> str:
    """Make the scene with all its sources; returns its id."""
    scene = client.new_scene(order.name, order.start_sample, order.seconds, order.seed)
    count = len(order.images) + len(order.texts) + len(order.audios)
    with staged(session, [*order.images, *order.audios]) as files:
        for done, path in enumerate(files):
            on_stage(f"Perceive {path.name}", done / count)
            if done < len(order.images):
                client.add_image(scene, path)
            else:
                client.add_audio(scene, path)
        for done, text in enumerate(order.texts, start=len(files)):
            on_stage(f"Perceive {text[:30]}", done / count)
            client.add_text(scene, text)
    _set_chain(client, scene, order.chain)
    on_stage("Perceive", 1.0)
    return scene


@contextmanager
def staged(session: Path, paths: list[Path]) -> Iterator[list[Path]]:
    """Copies of the files inside the session, names kept, gone after the block."""
    folder = session / INCOMING / secrets.token_hex(6)
    copies = [folder / str(index) / path.name for index, path in enumerate(paths)]
    try:
        for path, copy in zip(paths, copies, strict=True):
            copy.parent.mkdir(parents=True)
            shutil.copyfile(path, copy)
        yield copies
    except OSError as error:
        raise SessionNotWritable(
            f"{folder} cannot be written ({error.strerror or error}); choose another --session"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _set_chain(client: Client, scene: str, chain: ChainPreset | None) -> None:
    """Keep a chain of ours in the scene, so that the session remembers it."""
    if chain is None or not _is_builtin(chain):
        return
    for source in client.sources(scene):
        client.set(scene, source.source, chain=chain.name)


def _is_builtin(chain: ChainPreset) -> bool:
    try:
        return builtin_chain(chain.name) == chain
    except PresetError:
        return False


def _progress_to(on_stage: OnStage) -> Callable[[Progress], None]:
    return lambda progress: on_stage(progress.sentence or "Render", progress.fraction)


def _draw(take: Take, delivery: Delivery, on_stage: OnStage) -> Path:
    try:
        on_stage("Picture", 0.0)
        path = draw_delivery(take, delivery)
    except BaseException as error:
        for file in (*(file.path for file in delivery.files), delivery.sidecar):
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise folder_error(delivery.folder, error) from error
        raise
    on_stage("Picture", 1.0)
    return path
