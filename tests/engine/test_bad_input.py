"""Each bad input ends in its own error, and the engine goes on with the scene unharmed."""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from engine.paths import _is_elsewhere, confined
from engine.scene.edits import AddSources
from engine.service.adding import text_source
from osc_bridge import errors, schema
from osc_bridge.events import Fail
from osc_bridge.message import ROOT
from osc_bridge.wire import encode, read_event


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header lies about its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def wav(samples: np.ndarray, rate: int = 48_000, subtype: str = "FLOAT") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def sound(kind: str, samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 48_000, format=kind, subtype=subtype)
    return buffer.getvalue()


def wav_claiming(channels: int, frames: int) -> bytes:
    """A WAV whose header speaks of more than there is."""
    size = 2 * channels * frames
    claimed = min(size, 0xFFFFFFFF - 36)
    form = struct.pack(
        "<HHIIHH", 1, channels, 48_000, min(96_000 * channels, 0xFFFFFFFF), 2 * channels, 16
    )
    return (
        b"RIFF" + struct.pack("<I", 36 + claimed) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", claimed) + bytes(2 * channels * 10)
    )  # fmt: skip


def w64_claiming(frames: int) -> bytes:
    """A Wave64 whose sizes are those of ``frames``, and which ends after its first second."""
    whole = bytearray(sound("W64", np.zeros(48_000)))
    struct.pack_into("<Q", whole, 16, 2 * frames)
    data = whole.index(b"data\xf3\xac")
    struct.pack_into("<Q", whole, data + 16, 24 + 2 * frames)
    return bytes(whole)


def flac(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 48_000, format="FLAC")
    return buffer.getvalue()


def png(mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


NOISE = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.1
SPOILT = np.where(np.arange(48_000) == 40_000, np.nan, NOISE).astype(np.float32)

BAD_AUDIO = {
    "empty": b"",
    "text": b"this is not a sound at all\n" * 50,
    "script": b"#!/bin/sh\nrm -rf /\n",
    "picture": png(),
    "cut header": wav(NOISE)[:30],
    "cut wav": wav(NOISE)[:-50_000],
    "cut flac": flac(NOISE)[:-30_000],
    "nan": wav(SPOILT),
    "infinite": wav(np.where(np.isnan(SPOILT), np.inf, SPOILT)),
    "absurdly loud": wav(NOISE * 1e9),
    "too short": wav(NOISE[:100]),
    "no samples": wav(NOISE[:0]),
    "too many channels": wav(np.zeros((4_000, 100), np.float32)),
    "1,000 channels": wav(np.zeros((4_000, 1_000), np.float32)),
    "1,000 channels claimed": wav_claiming(1_000, 48_000),
    "no channels": wav_claiming(0, 48_000),
    "hours claimed": wav_claiming(1, 5 * 3_600 * 48_000),
    "days claimed": w64_claiming(48 * 3_600 * 48_000),
    "hours as au": sound("AU", NOISE).replace(
        struct.pack(">I", 96_000), struct.pack(">I", 2**31 - 100), 1
    ),
    "too long": flac(np.zeros(601 * 48_000, np.int16)),
}
for _kind in ("AIFF", "AU", "CAF", "W64", "RF64", "WAVEX"):
    BAD_AUDIO[f"cut {_kind.lower()}"] = sound(_kind, NOISE)[:-50_000]
    BAD_AUDIO[f"cut head of {_kind.lower()}"] = sound(_kind, NOISE)[:40]
    BAD_AUDIO[f"nan in {_kind.lower()}"] = sound(_kind, SPOILT, "FLOAT")


def tiff_claiming(width: int, height: int) -> bytes:
    """A TIFF of one strip whose tags lie about its size."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1),
            (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, 64)]  # fmt: skip
    entries = b"".join(
        struct.pack("<HHI", tag, kind, 1)
        + (struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value))
        for tag, kind, value in tags
    )
    start = 8 + 64
    return (
        b"II*\0" + struct.pack("<I", start) + bytes(64)
        + struct.pack("<H", len(tags)) + entries + bytes(4)
    )  # fmt: skip


def bmp_claiming(width: int, height: int) -> bytes:
    """A BMP that ends after its header."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def gif_claiming(width: int, height: int) -> bytes:
    """A GIF of one frame of 60,000 x 60,000 in a few bytes."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"


BAD_IMAGE = {
    "empty": b"",
    "text": b"this is not a picture\n" * 50,
    "sound": wav(NOISE),
    "cut": png()[:-200],
    "huge claim": png_claiming(60_000, 60_000),
    "lying header": png_claiming(64, 64),
    "no pixels": png_claiming(0, 64),
    "huge claim in tiff": tiff_claiming(60_000, 60_000),
    "lying tiff": tiff_claiming(640, 640),
    "huge claim in bmp": bmp_claiming(60_000, 60_000),
    "lying bmp": bmp_claiming(64, 64),
    "huge claim in gif": gif_claiming(60_000, 60_000),
    "longer than it is wide": png_claiming(60_001, 2),
    "script in svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>x</script></svg>",
    "pickle": pickle.dumps(print),
}


@pytest.fixture
def unharmed(tcp_engine: Any) -> Any:
    """An engine with a scene of one source; afterwards both must be as they were."""
    scene = tcp_engine.scene("rain")
    before = tcp_engine.service.scenes.get(scene)
    yield tcp_engine
    assert tcp_engine.service.scenes.get(scene) == before
    assert tcp_engine.client.render(scene, quality="preview").take


@pytest.mark.parametrize("name", BAD_AUDIO)
def test_bad_audio(unharmed: Any, name: str) -> None:
    path = unharmed.inputs / "sound.wav"
    path.write_bytes(BAD_AUDIO[name])
    with pytest.raises(errors.BadAudio) as caught:
        unharmed.client.add_audio("scene1", path)
    assert "sound.wav" in str(caught.value)
    assert "object" not in str(caught.value)
    assert "<_io" not in str(caught.value)
    assert unharmed.files("media") == {}


@pytest.mark.parametrize("name", BAD_IMAGE)
@pytest.mark.parametrize("label", ["", "dog"])
def test_bad_image(unharmed: Any, name: str, label: str) -> None:
    path = unharmed.inputs / "frame.png"
    path.write_bytes(BAD_IMAGE[name])
    with pytest.raises(errors.BadImage):
        unharmed.client.add_image("scene1", path, label)
    with pytest.raises(errors.BadImage):
        unharmed.client.add_region("scene1", path, (0, 0, 8, 8))
    assert unharmed.files("media") == {}


def test_content_decides_and_not_the_name(tcp_engine: Any) -> None:
    client, folder = tcp_engine.client, tcp_engine.inputs
    (folder / "sound.png").write_bytes(wav(NOISE))
    (folder / "sound.raw").write_bytes(flac(NOISE))
    (folder / "frame.wav").write_bytes(png())
    scene = tcp_engine.scene()
    assert client.add_audio(scene, folder / "sound.png") == "s1"
    assert client.add_audio(scene, folder / "sound.raw") == "s2"
    assert client.add_image(scene, folder / "frame.wav", "frame") == ("s3",)


def test_a_missing_file_and_a_folder(unharmed: Any) -> None:
    client = unharmed.client
    for add in (client.add_audio, client.add_image):
        with pytest.raises(errors.FileMissing, match="nothing"):
            add("scene1", unharmed.inputs / "nothing.wav")
        with pytest.raises(errors.FileMissing):
            add("scene1", unharmed.inputs)


def test_a_pipe_does_not_hang_the_engine(unharmed: Any) -> None:
    pipe = unharmed.inputs / "pipe.wav"
    os.mkfifo(pipe)
    with pytest.raises(errors.FileMissing):
        unharmed.client.add_audio("scene1", pipe)


def _symlink(folder: Path, secret: Path) -> Path:
    (folder / "link.wav").symlink_to(secret)
    return folder / "link.wav"


def _linked_folder(folder: Path, secret: Path) -> Path:
    (folder / "inside").symlink_to(secret.parent)
    return folder / "inside" / secret.name


WAYS_OUT: dict[str, Callable[[Path, Path], str | Path]] = {
    "absolute": lambda _folder, secret: secret,
    "dots": lambda folder, secret: f"{folder}/../{secret.parent.name}/{secret.name}",
    "symlink": _symlink,
    "folder symlink": _linked_folder,
    "unc": lambda _folder, _secret: "//server/share/sound.wav",
    "device": lambda _folder, _secret: "/dev/zero",
    "not there": lambda _folder, secret: secret.with_name("not-there.wav"),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_paths_outside_the_allowed_folders(unharmed: Any, tmp_path: Path, way: str) -> None:
    secret = tmp_path / "elsewhere" / "secret.wav"
    secret.parent.mkdir()
    secret.write_bytes(wav(NOISE))
    path = str(WAYS_OUT[way](unharmed.inputs, secret))
    box = (0, 0, 8, 8)
    for request in (
        schema.AddAudio("scene1", path),
        schema.AddImage("scene1", path),
        schema.AddRegion("scene1", path, *box),
    ):
        with pytest.raises(errors.PathForbidden, match="--allow"):
            unharmed.client.call(request)
    assert unharmed.files("media") == {}


@pytest.mark.parametrize(
    "path",
    [
        r"\\server\share\sound.wav",
        "//server/share/sound.wav",
        r"\/server\share\sound.wav",
        r"/\server\share\sound.wav",
        r"\\?\UNC\server\share\sound.wav",
        r"\\.\pipe\sound.wav",
        r"\\server\share\..\sound.wav",
        r"C:\sound.wav",
        "sound.wav",
    ],
)
def test_shares_are_refused_before_any_look_at_the_disk(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows only looking at such a path sends the user's credentials to its server."""

    def looked(*_args: object, **_options: object) -> None:
        pytest.fail("the disk was asked")

    with monkeypatch.context() as patch:
        for name in ("stat", "lstat", "readlink", "open", "getcwd"):
            patch.setattr(os, name, looked)
        patch.setattr(Path, "resolve", looked)
        with pytest.raises(errors.PathForbidden, match="--allow"):
            confined(path, [Path("/session")])


def test_a_share_that_the_user_allowed_is_no_stranger() -> None:
    class Share:
        def __str__(self) -> str:
            return r"\\nas\films"

        __fspath__ = __str__

    inside, beside = r"\\nas\films\dog.png", r"\\nas\filmstrip\dog.png"
    assert not _is_elsewhere(inside, [Share()])  # type: ignore[list-item]
    assert _is_elsewhere(beside, [Share()])  # type: ignore[list-item]


def test_a_relative_path_is_refused(unharmed: Any) -> None:
    with pytest.raises(errors.PathForbidden):
        unharmed.client.call(schema.AddAudio("scene1", "sound.wav"))


def test_a_box_outside_the_picture(unharmed: Any, picture: Path) -> None:
    with pytest.raises(errors.OutOfRange, match="48 x 32"):
        unharmed.client.add_region("scene1", picture, (0, 0, 49, 32))
    assert unharmed.files("media") == {}


def test_a_box_set_outside_the_picture(tcp_engine: Any, picture: Path) -> None:
    client, scene = tcp_engine.client, tcp_engine.scene()
    image = client.add_image(scene, picture, "whole")[0]
    before = client.snapshot(scene)
    with pytest.raises(errors.OutOfRange, match="48 x 32"):
        client.box(scene, image, (0, 0, 49, 32))
    assert client.snapshot(scene) == before
    client.box(scene, image, (0, 0, 48, 32))


def test_the_65th_source(tcp_engine: Any, picture: Path, clip: Path) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene(*(f"sound {number}" for number in range(63)))
    with pytest.raises(errors.TooManySources, match=r"65.*0 to 64"):
        client.add_image(scene, picture)
    client.add_text(scene, "the last one")
    for add in (
        lambda: client.add_text(scene, "one more"),
        lambda: client.add_audio(scene, clip),
        lambda: client.add_image(scene, picture, "dog"),
        lambda: client.add_region(scene, picture, (0, 0, 8, 8)),
    ):
        with pytest.raises(errors.TooManySources, match=r"65.*0 to 64"):
            add()
    assert len(client.sources(scene)) == 64


@pytest.mark.parametrize(
    ("field", "tag", "value"),
    [
        ("weight", "d", -1.0),
        ("weight", "d", float("nan")),
        ("weight", "d", 4.5),
        ("gain_db", "d", float("inf")),
        ("gain_db", "f", 13.0),
        ("pan", "d", -1.01),
        ("seed", "h", -1),
        ("start_sample", "h", -5),
        ("start_sample", "h", 24_000),
        ("mute", "i", 2),
    ],
)
def test_numbers_out_of_range(unharmed: Any, field: str, tag: str, value: float) -> None:
    with pytest.raises(errors.OutOfRange, match=field):
        _raw(
            unharmed,
            schema.SetSource.address,
            [("s", "scene1"), ("s", "s1"), ("s", field), (tag, value)],
        )


@pytest.mark.parametrize(
    ("field", "value"), [("id", "s2"), ("kind", "audio"), ("media", "/etc/passwd")]
)
def test_fields_that_cannot_be_set(unharmed: Any, field: str, value: str) -> None:
    with pytest.raises(errors.BadArguments):
        _raw(
            unharmed,
            schema.SetSource.address,
            [("s", "scene1"), ("s", "s1"), ("s", field), ("s", value)],
        )


@pytest.mark.parametrize("samples", [0, -5, 14_399, 480_001])
def test_lengths_out_of_range(unharmed: Any, samples: int) -> None:
    with pytest.raises(errors.OutOfRange, match="duration_samples"):
        _raw(unharmed, schema.NewScene.address, [("s", "x"), ("h", 0), ("h", samples), ("h", 1)])


@pytest.mark.parametrize("text", ["", "   ", "x" * 401, "x" * 10_000, "a\x00b"])
def test_bad_text(tcp_engine: Any, text: str) -> None:
    scene = tcp_engine.scene()
    with pytest.raises((errors.BadText, errors.OutOfRange)):
        tcp_engine.service.scenes.change(scene, AddSources((text_source(text),)))
    assert tcp_engine.service.scenes.get(scene).sources == ()


def test_unknown_scenes_and_sources(unharmed: Any) -> None:
    client = unharmed.client
    for scene in ("scene2", "engine", "scene01"):
        with pytest.raises(errors.UnknownScene, match="scene1"):
            client.add_text(scene, "rain")
    with pytest.raises(errors.UnknownSource, match="s1"):
        client.set("scene1", "s9", pan=0.0)
    with pytest.raises(errors.UnknownJob):
        client.cancel(123)


def test_a_session_that_can_no_longer_be_written(unharmed: Any) -> None:
    scenes = unharmed.session / "scenes"
    scenes.rename(unharmed.session / "away")
    with pytest.raises(errors.SessionNotWritable):
        unharmed.client.add_text("scene1", "rain")
    (unharmed.session / "away").rename(scenes)


def test_a_full_disk_leaves_no_file(unharmed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("engine.takes.write_whole", full)
        with pytest.raises(errors.DiskFull):
            unharmed.client.render("scene1")
    assert unharmed.files() == unharmed.files("takes") == {}


def test_a_defect_is_an_internal_error(unharmed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError("oops")

    with monkeypatch.context() as patch:
        patch.setattr(unharmed.pack.decoder, "decode", broken)
        with pytest.raises(errors.InternalError, match="ZeroDivisionError"):
            unharmed.client.render("scene1")


def _raw(engine: Any, address: str, arguments: list[tuple[str, Any]]) -> None:
    """Send what the client's own checks would refuse; raise what the engine answers."""
    packet = encode(ROOT + address, [("h", 4_000_000), *arguments])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.sendto(packet, ("127.0.0.1", engine.ports.udp))
        event = read_event(sock.recv(4096))
    assert isinstance(event, Fail)
    raise event.error()
