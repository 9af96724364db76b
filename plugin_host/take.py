"""A take as the engine wrote it, read as untrusted data.

``take.json`` lies in ``SESSION/takes/<id>/``; every file it names must lie inside SESSION, be
a regular file, and have the hash it claims.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from osc_bridge.errors import BadAudio, BadSession, FileMissing, PathForbidden
from plugin_host.fields import Fields, read_json

SAMPLE_RATE: Final = 48_000
MAX_SOURCES: Final = 64
MAX_STEM_BYTES: Final = 256 * 1024 * 1024
MAX_STEM_S: Final = 600
MAX_SEED: Final = 2**63 - 1
DAY_SAMPLES: Final = SAMPLE_RATE * 86_400


@dataclass(frozen=True)
class AudioRef:
    """A sound file of the session: path inside it, and the hash it must have."""

    file: str
    sha256: str
    seed: int


@dataclass(frozen=True)
class TakeSource:
    """One source as it was rendered; ``start_sample`` is relative to the scene's start."""

    id: str
    kind: str
    label: str
    text: str
    media: str
    box: tuple[int, int, int, int] | None
    weight: float
    gain_db: float
    pan: float
    mute: bool
    solo: bool
    start_sample: int
    chain: str
    cat_id: str
    audio: AudioRef

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.label or self.text or self.kind


@dataclass(frozen=True)
class TakePack:
    """The model pack that made the sounds."""

    name: str
    version: str
    digest: str
    licence: str
    sample_rate: int
    bandwidth_hz: int


@dataclass(frozen=True)
class Take:
    """One immutable result of the engine."""

    session: Path
    id: str
    scene_id: str
    scene_name: str
    scene_start_sample: int
    created: str
    stems_mode: str
    quality: str
    duration_samples: int
    pack: TakePack
    mix: AudioRef
    frame: str
    sources: tuple[TakeSource, ...]
    timings_s: dict[str, float]


def read_take(take_json: Path, session: Path) -> Take:
    """Read and check ``take.json``; FileMissing, BadSession or PathForbidden otherwise."""
    root = session.resolve()
    fields = read_json(inside(root, take_json))
    scene = fields.table("scene")
    rate = scene.whole("sample_rate", SAMPLE_RATE, SAMPLE_RATE, "Hz")
    return Take(
        session=root,
        id=fields.word("take", 16),
        scene_id=scene.text("id", 80),
        scene_name=scene.text("name", 400),
        scene_start_sample=scene.whole("start_sample", 0, DAY_SAMPLES, "samples since midnight"),
        created=fields.text("created", 40),
        stems_mode=fields.choice("stems_mode", ("independent", "consistent")),
        quality=fields.choice("quality", ("preview", "final")),
        duration_samples=fields.whole("duration_samples", 1, MAX_STEM_S * rate, "samples"),
        pack=_pack(fields.table("pack")),
        mix=_audio_ref(fields.table("mix")),
        frame=fields.text("frame", 500, default=""),
        sources=tuple(_source(item) for item in fields.tables("sources", MAX_SOURCES)),
        timings_s=fields.seconds("timings_s"),
    )


def inside(session: Path, file: str | Path) -> Path:
    """``file`` resolved inside ``session`` (symlinks followed), or PathForbidden."""
    try:
        path = (session / file).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise PathForbidden(f"{str(file)[:80]!r} is not a path ({error})") from error
    if not path.is_relative_to(session):
        raise PathForbidden(
            f"{str(file)[:80]!r} leads out of the session folder {session}; "
            "a take may only name files inside its session"
        )
    if not path.is_file():
        raise FileMissing(f"{path} is missing from the session; render the take again")
    return path


def read_stem(take: Take, ref: AudioRef) -> NDArray[np.float32]:
    """The sound as (1, T) float32 at 48 kHz, its hash checked; BadSession or BadAudio if not."""
    path = inside(take.session, ref.file)
    data = _read_limited(path)
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        raise BadSession(f"{path.name} was changed since take {take.id}; render the take again")
    samples = _decoded(data, path.name)
    if not np.isfinite(samples).all():
        raise BadAudio(f"{path.name} holds samples that are NaN or infinite; render again")
    return np.ascontiguousarray(samples.T)


def _decoded(data: bytes, name: str) -> NDArray[np.float32]:
    """The samples (T, 1); what it would become in memory is known before it is decoded."""
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            _check_header(sound, name)
            samples: NDArray[np.float32] = sound.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise BadAudio(f"{name} is not a sound file ({error}); render again") from error
    return samples


def _check_header(sound: soundfile.SoundFile, name: str) -> None:
    if sound.format != "WAV":
        raise BadAudio(f"{name} is a {sound.format} file; a stem is WAV: render again")
    if sound.samplerate != SAMPLE_RATE or sound.channels != 1:
        raise BadAudio(
            f"{name} has {sound.channels} channels at {sound.samplerate} Hz; "
            f"a stem has 1 channel at {SAMPLE_RATE} Hz: render again"
        )
    if sound.frames > MAX_STEM_S * SAMPLE_RATE:
        raise BadAudio(
            f"{name} lasts {sound.frames / SAMPLE_RATE:.0f} s; a stem has at most {MAX_STEM_S} s: "
            "render again"
        )


def _read_limited(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_STEM_BYTES + 1)
    if len(data) > MAX_STEM_BYTES:
        raise BadAudio(f"{path.name} is larger than 256 MiB; a stem has at most 10 minutes")
    return data


def _pack(fields: Fields) -> TakePack:
    return TakePack(
        name=fields.text("name", 80),
        version=fields.text("version", 80),
        digest=fields.text("digest", 200),
        licence=fields.text("licence", 2000),
        sample_rate=fields.whole("sample_rate", 4000, 384_000, "Hz"),
        bandwidth_hz=int(fields.number("bandwidth_hz", 0, 192_000, "Hz")),
    )


def _audio_ref(fields: Fields) -> AudioRef:
    return AudioRef(
        file=fields.text("file", 500),
        sha256=fields.text("sha256", 64),
        seed=fields.whole("seed", 0, MAX_SEED),
    )


def _source(fields: Fields) -> TakeSource:
    return TakeSource(
        id=fields.text("id", 80),
        kind=fields.text("kind", 20),
        label=fields.text("label", 400),
        text=fields.text("text", 400, default=""),
        media=fields.text("media", 500, default=""),
        box=fields.box("box"),
        weight=fields.number("weight", 0, 4),
        gain_db=fields.number("gain_db", -60, 12, "dB"),
        pan=fields.number("pan", -1, 1, "(left to right)"),
        mute=fields.flag("mute"),
        solo=fields.flag("solo"),
        start_sample=fields.whole("start_sample", 0, MAX_STEM_S * SAMPLE_RATE, "samples"),
        chain=fields.text("chain", 100),
        cat_id=fields.text("cat_id", 16),
        audio=_audio_ref(fields),
    )
