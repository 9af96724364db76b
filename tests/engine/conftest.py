"""A session with an engine in this process, and a pack of toys that answers at once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor

from engine.cmss import (
    SSV2A,
    GeneratorConfig,
    ManifoldConfig,
    RemixerConfig,
    SSV2AConfig,
    StylerConfig,
    build_ssv2a,
)
from engine.config import EngineConfig
from engine.models.store import ModelStore
from engine.notices import Notices
from engine.perception.base import Region
from engine.server import listening, serving
from engine.service import EngineService
from engine.steps import StepCallback, no_steps
from osc_bridge.client import Client
from osc_bridge.discovery import Ports

CLIP_DIM, CLAP_DIM = 10, 18
DECODE_STEPS = 5
TOY_HZ = 8_000


def toy_vector(data: bytes, dim: int) -> Tensor:
    """A unit vector (1, dim) that the content alone decides."""
    seed = int.from_bytes(hashlib.sha256(data).digest()[:7], "big")
    row = torch.randn(1, dim, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(row, dim=-1)


class ToyTexts:
    dim = CLIP_DIM

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.cat([toy_vector(text.encode(), CLIP_DIM) for text in texts])


class ToyImages:
    dim = CLIP_DIM

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        return torch.cat([toy_vector(image.tobytes(), CLIP_DIM) for image in images])


class ToyAudio:
    dim = CLAP_DIM
    sample_rate = 16_000

    def encode(self, waves: Sequence[np.ndarray], on_step: StepCallback = no_steps) -> Tensor:
        return torch.cat([toy_vector(wave.tobytes(), CLAP_DIM) for wave in waves])


@dataclass
class ToyDetector:
    regions: list[Region] = field(
        default_factory=lambda: [
            Region((0, 0, 8, 8), "dog", 0.9),
            Region((8, 8, 16, 16), "car", 0.5),
        ]
    )

    def detect(self, image: Image.Image, on_step: StepCallback = no_steps) -> list[Region]:
        for step in range(1, 4):
            on_step(step, 3)
        return self.regions


class ToyDecoder:
    """A tone whose pitch and noise follow ``a`` and ``seed``; can be held before a step."""

    sample_rate = TOY_HZ
    bandwidth_hz = TOY_HZ // 2
    min_s, max_s = 0.3, 10.0

    def __init__(self) -> None:
        self.decoded: list[int] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def decode(
        self,
        a: Tensor,
        seconds: float,
        seed: int,
        quality: str,
        on_step: StepCallback,
        batch: int = 2,
    ) -> np.ndarray:
        self.decoded.append(seed)
        for step in range(1, DECODE_STEPS + 1):
            self.entered.set()
            assert self.go_on.wait(20), "a test forgot to let the decoder go on"
            on_step(step, DECODE_STEPS)
        time_s = np.arange(round(seconds * TOY_HZ)) / TOY_HZ
        pitch_hz = 200 + 1000 * float(a[0].abs())
        noise = np.random.default_rng(seed).standard_normal(len(time_s))
        wave = 0.3 * np.sin(2 * np.pi * pitch_hz * time_s) + 0.05 * noise
        return np.clip(wave, -1, 1).astype(np.float32)


def toy_ssv2a() -> SSV2A:
    layers = (12, 14, 16, 16)
    config = SSV2AConfig(
        clip_dim=CLIP_DIM,
        clap_dim=CLAP_DIM,
        manifold_dim=12,
        manifold=ManifoldConfig(layers),
        generator=GeneratorConfig(layers),
        remixer=RemixerConfig(StylerConfig(16, nhead=4), slot=64),
    )
    torch.manual_seed(3)
    return build_ssv2a(config).eval()


@dataclass(frozen=True)
class ToyManifest:
    name: str = "toy"
    version: str = "0"
    kind: str = "toy"
    licence: str = "CC0-1.0"
    digest: str = "0" * 64


@dataclass(frozen=True)
class ToyPack:
    """What `engine.models.loading.load_pack` gives, made of toys."""

    manifest: ToyManifest = field(default_factory=ToyManifest)
    images: Any = field(default_factory=ToyImages)
    texts: Any = field(default_factory=ToyTexts)
    audio: Any = field(default_factory=ToyAudio)
    detector: Any = field(default_factory=ToyDetector)
    ssv2a: SSV2A = field(default_factory=toy_ssv2a)
    decoder: Any = field(default_factory=ToyDecoder)
    device: str = "cpu"
    precision: str = "fp32"
    compiled: bool = False


@pytest.fixture
def pack() -> ToyPack:
    return ToyPack()


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return tmp_path / "session"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that clients may name files in, beside the session."""
    folder = tmp_path / "inputs"
    folder.mkdir(exist_ok=True)
    return folder


@dataclass
class Running:
    """An engine that serves, its clients, and what the tests look at."""

    session: Path
    inputs: Path
    service: EngineService
    ports: Ports
    pack: ToyPack
    stop: threading.Event
    client: Client

    def connect(self, transport: str) -> Client:
        port = self.ports.udp if transport == "udp" else self.ports.tcp
        return Client.connect(port, transport=transport)  # type: ignore[arg-type]

    def scene(self, *texts: str, seed: int = 1, seconds: float = 0.5) -> str:
        scene = self.client.new_scene("Alley", duration_s=seconds, seed=seed)
        for text in texts:
            self.client.add_text(scene, text)
        return scene

    def files(self, folder: str = "stems") -> dict[str, tuple[int, bytes]]:
        """Every file of a sub-folder of the session: its modification time and bytes."""
        found = sorted(p for p in (self.session / folder).rglob("*") if p.is_file())
        return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


@pytest.fixture(params=["tcp", "udp"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, pack: ToyPack) -> Iterator[Running]:
    """An engine over a real socket; every test that takes it runs over TCP and over UDP."""
    yield from _engine(str(request.param), tmp_path, pack)


@pytest.fixture
def tcp_engine(tmp_path: Path, pack: ToyPack) -> Iterator[Running]:
    """An engine over TCP alone."""
    yield from _engine("tcp", tmp_path, pack)


@pytest.fixture
def tiny_engine(tmp_path: Path, loaded_tiny_pack: Any) -> Iterator[Running]:
    """An engine with real encoders and detector, and the tiny pack's random weights."""
    yield from _engine("tcp", tmp_path, loaded_tiny_pack)


def _engine(transport: str, tmp_path: Path, pack: ToyPack) -> Iterator[Running]:
    inputs = tmp_path / "inputs"
    inputs.mkdir(exist_ok=True)
    config = EngineConfig(tmp_path / "session", allow=(inputs,), oscquery=False)
    with running(config, pack) as (service, ports, stop):
        port = ports.udp if transport == "udp" else ports.tcp
        with Client.connect(port, transport=transport) as client:  # type: ignore[arg-type]
            yield Running(config.session, inputs, service, ports, pack, stop, client)


@contextmanager
def running(
    config: EngineConfig, pack: ToyPack
) -> Iterator[tuple[EngineService, Ports, threading.Event]]:
    """An engine of this process with a pack that is there already."""
    stop, notices = threading.Event(), Notices()
    with listening(0, 0, config.bind) as opened:
        models = ModelStore.holding(pack, notices.model)  # type: ignore[arg-type]
        service = EngineService(config, models, notices)
        with serving(service, opened, stop) as ports:
            try:
                yield service, ports, stop
            finally:
                if isinstance(pack, ToyPack):
                    pack.decoder.go_on.set()


@pytest.fixture
def run_again(tmp_path: Path) -> Callable[..., Any]:
    """Start another engine on this test's session: ``with run_again(pack) as (service, ...)``."""

    def start(pack: ToyPack, folder: str = "session", **changes: Any) -> Any:
        given = {"allow": (tmp_path / "inputs",), "oscquery": False, **changes}
        return running(EngineConfig(tmp_path / folder, **given), pack)

    return start


@pytest.fixture
def picture(outside: Path) -> Path:
    path = outside / "frame.png"
    pixels = np.random.default_rng(1).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def clip(outside: Path) -> Path:
    path = outside / "wind.wav"
    wave = np.random.default_rng(2).standard_normal((24_000, 2)) * 0.1
    soundfile.write(path, wave, 48_000)
    return path
