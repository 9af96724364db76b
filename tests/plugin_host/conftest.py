"""A session folder with a take, as the engine writes it."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from osc_bridge import schema
from osc_bridge.discovery import Ports, announce, withdraw
from osc_bridge.reply import Reply
from osc_bridge.server import OscServer
from osc_bridge.transports.tcp import TcpListener
from osc_bridge.transports.udp import UdpListener

RATE = 48_000


@dataclass
class FakeSession:
    """Builds ``take.json`` with its stems; change ``document`` before ``write``."""

    folder: Path
    document: dict[str, Any]
    stems: list[np.ndarray[Any, np.dtype[np.float32]]] = field(default_factory=list)

    def add_sound(
        self, samples: np.ndarray[Any, Any], kind: str = "WAV", subtype: str = "FLOAT"
    ) -> dict[str, Any]:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, RATE, format=kind, subtype=subtype)
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        path = self.folder / "stems" / f"{digest}.wav"
        path.write_bytes(buffer.getvalue())
        return {"file": f"stems/{path.name}", "sha256": digest, "seed": 7}

    def write(self) -> Path:
        path = self.folder / "takes" / "t0001" / "take.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.document))
        return path


def tone(frequency_hz: float, seconds: float, level: float) -> np.ndarray[Any, np.dtype[Any]]:
    """A tone whose samples are exact in 24 bits."""
    steps = np.arange(round(seconds * RATE)) * 2 * np.pi * frequency_hz / RATE
    return (np.rint(level * np.sin(steps) * 2**23) / 2**23).astype(np.float32)


def source(number: int, kind: str, label: str, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": f"s{number}", "kind": kind, "label": label, "text": label, "media": "", "box": None,
        "weight": 1.0, "gain_db": 0.0, "pan": 0.0, "mute": False, "solo": False, "seed": number,
        "start_sample": 0, "duration_samples": RATE // 2, "chain": "", "cat_id": "",
    }  # fmt: skip
    return row | changes


def take_document(mode: str) -> dict[str, Any]:
    return {
        "take": "t0001",
        "scene": {"id": "alley", "name": "Alley", "sample_rate": RATE, "start_sample": RATE * 3600},
        "created": "2026-11-23T01:02:03Z",
        "stems_mode": mode,
        "quality": "final",
        "duration_samples": RATE // 2,
        "pack": {
            "name": "starter", "version": "0", "digest": "d" * 64, "licence": "CC-BY-SA-4.0",
            "sample_rate": 22050, "bandwidth_hz": 8000, "device": "cpu", "precision": "fp32",
        },
        "timings_s": {"perceive": 0.1, "remix": 0.2, "render": 0.3},
    }  # fmt: skip


@pytest.fixture
def fake_session(tmp_path: Path) -> Callable[..., FakeSession]:
    """Call it with the stems mode: three sources, stems that add up to the mix."""

    def build(mode: str = "consistent") -> FakeSession:
        folder = tmp_path / "session"
        for name in ("stems", "media", "takes"):
            (folder / name).mkdir(parents=True)
        Image.new("RGB", (320, 180), (40, 60, 90)).save(folder / "media" / "frame.png")
        session = FakeSession(folder, take_document(mode))
        session.stems = [
            tone(hz, 0.5, level) for hz, level in ((220, 0.2), (990, 0.3), (3000, 0.1))
        ]
        rows = [
            source(1, "region", "dog", media="media/frame.png", box=[20, 30, 120, 150], text=""),
            source(2, "text", "rain on window"),
            source(3, "audio", "dog", media="media/clip.wav", text=""),
        ]
        for row, stem in zip(rows, session.stems, strict=True):
            row.update({k: v for k, v in session.add_sound(stem).items() if k != "seed"})
        mix = session.add_sound(np.sum(session.stems, axis=0, dtype=np.float32))
        session.document |= {"sources": rows, "mix": mix, "frame": "media/frame.png"}
        return session

    return build


class FakeEngine:
    """The engine's side of the contract, without an engine: a render gives the fake take."""

    def __init__(self, session: FakeSession) -> None:
        self.session = session
        self.texts: list[str] = []
        self.files: list[tuple[str, bytes]] = []
        self.fields: list[tuple[str, str, Any]] = []
        self.entered = threading.Event()
        self.cancelled = threading.Event()
        self.holds_render = False

    def edit(self, replies: Sequence[Reply]) -> list[Any]:
        return [self.answer(reply.request, None) for reply in replies]

    def answer(self, request: Any, reply: Reply | None) -> Any:
        match request:
            case schema.Hello():
                return schema.Welcome(schema.API_MAJOR, 0, "fake 0", str(self.session.folder), 64)
            case schema.NewScene():
                self.session.document["scene"] |= {
                    "name": request.name, "start_sample": request.start_sample,
                }  # fmt: skip
                return schema.SceneMade("alley")
            case schema.AddText():
                self.texts.append(request.text)
                return schema.SourcesAdded("alley", ("s2",))
            case schema.AddImage() | schema.AddAudio():
                self.files.append((request.path, Path(request.path).read_bytes()))
                return schema.SourcesAdded("alley", ("s1",))
            case schema.ListSources():
                rows = [
                    schema.SourceRow(row["id"], row["kind"], row["label"])
                    for row in self.session.document["sources"]
                ]
                return schema.SourcePage("alley", 1, 0, -1, len(rows), tuple(rows))
            case schema.SetSource():
                self.fields.append((request.source, request.field, request.value))
                return schema.SourceChanged("alley", request.source, request.field, request.value)
            case schema.Render() if reply is not None:
                return self._render(reply)
            case schema.CancelJob():
                self.cancelled.set()
                self.waiting.cancelled()
                return schema.CancelRequested(request.job)
        return schema.Goodbye()

    def _render(self, reply: Reply) -> Any:
        reply.progress(0.5, 1, 2, "Rendering dog.")
        self.entered.set()
        if self.holds_render:
            self.waiting = reply
            return None
        return schema.TakeMade("t0001", str(self.session.write()))


@pytest.fixture
def fake_engine(fake_session: Callable[..., FakeSession]) -> Iterator[FakeEngine]:
    """A served fake engine that announces itself."""
    engine = FakeEngine(fake_session())
    listeners = (UdpListener(0), TcpListener(0))
    with OscServer(engine, listeners) as server:
        announce(engine.session.folder, Ports(server.port("udp"), server.port("tcp")))
        yield engine
        withdraw()
