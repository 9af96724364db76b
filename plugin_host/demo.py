"""``wildtrack demo``: an example scene, rendered twice through the engine, with the times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from osc_bridge.client import Client
from osc_bridge.schema import SourceRow
from plugin_host.console import (
    progress_bar,
    rendered_document,
    show_json,
    show_rendered,
    show_table,
)
from plugin_host.demo_scene import SIZE, clip_wav, frame_png
from plugin_host.engine_process import Launch, engine_for
from plugin_host.order import Order, check_order, check_writable
from plugin_host.render import OnStage, Rendered, render_scene
from presets.files import write_whole

TEXTS: Final = ("rain on a window", "footsteps on a wooden floor")
CHAINS_BY_KIND: Final = {"region": "small_room", "audio": "hall"}
CHAIN_BY_TEXT: Final = {TEXTS[0]: "far", TEXTS[1]: "behind_a_door"}
WIDEST_PAN: Final = 0.7
SECONDS: Final = 4.0
STAGES: Final = ("engine start", "perceive", "remix", "render", "effects", "picture", "total")


@dataclass(frozen=True)
class DemoResult:
    """Both renders: the first with a cold engine, the second with a warm one."""

    cold: Rendered
    warm: Rendered
    engine_start_s: float

    def seconds(self) -> list[tuple[str, float | None, float | None]]:
        """Stage, cold and warm; None where a stage did not take place."""
        cold = self.cold.timings_s | {"engine start": self.engine_start_s}
        cold["total"] += self.engine_start_s
        return [(stage, cold.get(stage), self.warm.timings_s.get(stage)) for stage in STAGES]


def run_demo(out: Path, seed: int, pack: str, device: str, quiet: bool) -> DemoResult:
    """Render the example scene into ``out``, its session beside it; raises what render raises."""
    session = out.absolute().with_name(f"{out.absolute().name or 'demo'}.session")
    check_writable(session, "--out")
    check_writable(out, "--out")
    order = _order(out, session, seed)
    check_order(order)
    with progress_bar(quiet) as on_stage:
        on_stage("Start the engine", 0.0)
        with engine_for(Launch(session, pack, device), "wildtrack demo") as engine:
            cold = _render(engine.client, session, order, on_stage)
            again = _order(out, session, seed + 1, picture=False)
            warm = _render(engine.client, session, again, on_stage)
            return DemoResult(cold, warm, engine.started_s)


def show_demo(result: DemoResult, as_json: bool) -> None:
    """The files and the times of both renders."""
    if as_json:
        rows = result.seconds()
        show_json(
            {
                "cold": rendered_document(result.cold),
                "warm": rendered_document(result.warm),
                "seconds": {s: {"cold": c, "warm": w} for s, c, w in rows},
            }
        )
        return
    show_rendered(result.cold)
    shown = [(stage, _shown(cold), _shown(warm)) for stage, cold, warm in result.seconds()]
    show_table(("seconds for", "cold", "warm, next seed"), shown, right={1, 2})


def _order(out: Path, session: Path, seed: int, *, picture: bool = True) -> Order:
    material = session / "material"
    material.mkdir(parents=True, exist_ok=True)
    frame, clip = material / "room.png", material / "dripping tap.wav"
    if not frame.exists() or not clip.exists():
        write_whole(frame, frame_png())
        write_whole(clip, clip_wav())
    return Order(
        images=(frame,),
        texts=TEXTS,
        audios=(clip,),
        out=out,
        name="Room at night",
        seconds=SECONDS,
        seed=seed,
        start_sample=0,
        stems="consistent",
        picture=picture,
    )


def _render(client: Client, session: Path, order: Order, on_stage: OnStage) -> Rendered:
    return render_scene(client, session, order, on_stage, _place)


def _place(client: Client, scene: str) -> None:
    """Effects by kind, and each thing in the stereo field where it stands in the frame."""
    for row in client.sources(scene):
        chain = CHAIN_BY_TEXT.get(row.label, CHAINS_BY_KIND.get(row.kind, ""))
        client.set(scene, row.source, chain=chain, pan=_pan(row))


def _pan(row: SourceRow) -> float:
    if row.x1 <= row.x0:
        return 0.0
    return round(WIDEST_PAN * ((row.x0 + row.x1) / SIZE[0] - 1), 2)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
