"""Sounds and videos as they come: long, short, silent, cut, of other rates; and their frames."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.training.data.curation import in_pixels
from engine.training.data.sounds import MAX_S, read_sound, read_video_sound
from engine.training.data.videos import watch
from osc_bridge.errors import BadAudio, BadImage, PackageMissing

Write = Callable[..., Path]
RATE = 22_050


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_any_rate_and_format(tmp_path: Path, tone: Write, rate: int, suffix: str) -> None:
    wave = read_sound(tone(tmp_path / f"a.{suffix}", 0.5, 300.0, rate), RATE, trim=False)
    assert abs(len(wave) - 0.5 * RATE) <= 0.01 * RATE
    assert 0.85 < np.abs(wave).max() <= 0.95
    strongest = np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave)
    assert abs(strongest - 300) < 5


def test_the_middle_of_a_long_sound_is_heard(tmp_path: Path) -> None:
    wave = np.zeros(30 * 8000, np.float32)
    wave[14 * 8000 : 16 * 8000] = 0.5
    soundfile.write(tmp_path / "a.wav", wave, 8000)
    heard = read_sound(tmp_path / "a.wav", 8000, trim=False)
    assert len(heard) == MAX_S * 8000
    assert np.flatnonzero(heard > 0.8).min() == 4 * 8000


def test_silence_at_the_ends_is_trimmed(tmp_path: Path) -> None:
    wave = np.zeros((3 * 8000, 2), np.float32)
    wave[8000:16000] = 0.25
    soundfile.write(tmp_path / "a.wav", wave, 8000)
    assert len(read_sound(tmp_path / "a.wav", 8000)) == 8000


def test_what_is_no_sound_is_told(tmp_path: Path, tone: Write) -> None:
    for name, data in {"text.wav": b"no sound", "empty.wav": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadAudio, match="cannot be read"):
            read_sound(tmp_path / name, RATE)
    whole = tone(tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:-2000])
    with pytest.raises(BadAudio, match="cut short"):
        read_sound(tmp_path / "cut.wav", RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    with pytest.raises(BadAudio, match="silent"):
        read_sound(tmp_path / "silent.wav", RATE)
    with pytest.raises(BadAudio, match=r"at least 0\.1 s"):
        read_sound(tone(tmp_path / "short.wav", 0.05), RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(8000, np.nan, np.float32), 8000, subtype="FLOAT")
    with pytest.raises(BadAudio, match="sample of nan"):
        read_sound(tmp_path / "nan.wav", RATE)
    soundfile.write(tmp_path / "slow.wav", np.ones(8000), 1000)
    with pytest.raises(BadAudio, match="1000 Hz"):
        read_sound(tmp_path / "slow.wav", RATE)
    with pytest.raises(BadAudio):
        read_sound(tmp_path / "none.wav", RATE)


def test_frames_lie_evenly_in_time(film: Write, tmp_path: Path) -> None:
    watched = watch(film(tmp_path / "a.avi", frames=40, rate=10.0), 8)
    light = [float(np.asarray(each).mean()) / 255 * 40 for each in watched.along]
    assert np.allclose(light, np.arange(2.5, 40, 5), atol=1.6)
    assert abs(float(np.asarray(watched.centre).mean()) / 255 * 40 - 20) < 1.6
    assert (watched.start_s, watched.duration_s) == (0.0, 4.0)


def test_the_middle_of_a_long_video_is_watched(film: Write, tmp_path: Path) -> None:
    watched = watch(film(tmp_path / "a.avi", frames=100, rate=4.0), 64)
    light = [float(np.asarray(each).mean()) / 255 * 100 for each in watched.along]
    assert len(light) == 64
    assert 28 < min(light) < 33
    assert 67 < max(light) < 72
    assert (watched.start_s, watched.duration_s) == (7.5, 10.0)


def test_a_video_of_one_frame_is_enough(film: Write, tmp_path: Path) -> None:
    assert len(watch(film(tmp_path / "a.avi", frames=1), 64).along) == 64


def test_what_is_no_video_is_told(tmp_path: Path, film: Write) -> None:
    (tmp_path / "a.avi").write_bytes(b"no video")
    for name in ("a.avi", "none.avi"):
        with pytest.raises(BadImage):
            watch(tmp_path / name, 8)


def _program(folder: Path, text: str) -> None:
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_the_sound_of_a_video_comes_from_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone = (0.5 * np.sin(np.arange(RATE) / 10)).astype("<f4")
    (tmp_path / "wave.raw").write_bytes(tone.tobytes() + b"\0")
    _program(tmp_path, f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/wave.raw')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    wave = read_video_sound(tmp_path / "-v.mp4", RATE, 7.5, 30.0)
    assert len(wave) == RATE
    asked = (tmp_path / "asked").read_text()
    assert "-ss 7.500 -t 10.000" in asked
    assert f"-i file:{tmp_path}/-v.mp4" in asked


def test_videos_without_sound_and_machines_without_ffmpeg_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageMissing, match="install it"):
        read_video_sound(tmp_path / "a.mp4", RATE, 0.0, 1.0)
    _program(tmp_path, 'echo "Output file does not contain any stream" >&2; exit 1')
    with pytest.raises(BadAudio, match="does not contain any stream"):
        read_video_sound(tmp_path / "a.mp4", RATE, 0.0, 1.0)


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (640, 480)])
@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 1.0, 1.0), (0.999, 0.999, 1.0, 1.0), (0.2, 0.3, 0.21, 0.9)]
)
def test_boxes_are_inside_the_picture(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    x0, y0, x1, y1 = in_pixels(box, size)
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]
