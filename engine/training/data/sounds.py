"""Sounds for training: mono, their middle 10 s, silence trimmed, peak 0.9; of videos by ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.audio import MAX_AMPLITUDE, MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from engine.audio_header import claimed_bytes, size_bytes
from osc_bridge.errors import BadAudio, PackageMissing

MIN_S, MAX_S = 0.1, 10.0
PEAK = 0.9
SILENT = 1e-4
"""A sound whose peak is below -80 dB of full scale is none."""
TRIM = 1e-3
"""Ends that stay 60 dB below the peak are cut off."""
FFMPEG_TIMEOUT_S = 120

Wave = NDArray[np.float32]


def read_sound(path: Path, rate_hz: int, *, trim: bool = True) -> Wave:
    """Return (T,) mono at ``rate_hz``: the middle 10 s at most, of peak 0.9.

    With ``trim`` without the silence at its ends; a video's sound keeps them. Raises BadAudio for
    what is no sound, is cut short, silent, or shorter than 0.1 s.
    """
    try:
        with path.open("rb") as file:
            claimed, there = claimed_bytes(file), size_bytes(file)
            if claimed is not None and there + 1 < claimed:
                raise BadAudio(
                    f"It is cut short: {there} of {claimed} bytes are there; copy it again."
                )
            with soundfile.SoundFile(file) as sound:
                wave = _middle(sound)
                own_rate_hz = int(sound.samplerate)
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        raise BadAudio(f"It cannot be read as a sound ({error}); export it again.") from error
    return _ready(wave, own_rate_hz, rate_hz, trim)


def read_video_sound(path: Path, rate_hz: int, start_s: float, seconds: float) -> Wave:
    """Return (T,) mono at ``rate_hz`` of a stretch of a video's sound, decoded by ffmpeg.

    Raises PackageMissing where the program ffmpeg is not installed, BadAudio if there is no sound.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise PackageMissing(
            "The sound of videos needs the program ffmpeg: install it (apt install ffmpeg, brew "
            "install ffmpeg), or put a sound file of the same name beside each video."
        )
    command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-ss", f"{start_s:.3f}", "-t", f"{min(seconds, MAX_S):.3f}"]
    command += ["-i", f"file:{path.resolve()}", "-vn", "-ac", "1", "-ar", str(rate_hz)]
    command += ["-f", "f32le", "pipe:1"]
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell
            command, capture_output=True, check=False, timeout=FFMPEG_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise BadAudio(f"ffmpeg did not end within {FFMPEG_TIMEOUT_S} s; convert it.") from error
    if done.returncode != 0 or not done.stdout:
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise BadAudio(f"ffmpeg finds no sound in it ({said or 'none there'}).")
    whole = done.stdout[: len(done.stdout) // 4 * 4]
    return _ready(np.frombuffer(whole, "<f4").astype(np.float32), rate_hz, rate_hz, trim=False)


def _middle(sound: soundfile.SoundFile) -> Wave:
    rate_hz, channels = int(sound.samplerate), int(sound.channels)
    if not (MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ and 1 <= channels <= MAX_CHANNELS):
        raise BadAudio(
            f"It has {channels} channels at {rate_hz} Hz; allowed are 1 to {MAX_CHANNELS} at "
            f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz: convert it."
        )
    most = int(MAX_S * rate_hz)
    if sound.frames > most:
        sound.seek((sound.frames - most) // 2)
    return np.asarray(sound.read(most, dtype="float32", always_2d=True).mean(axis=1), np.float32)


def _ready(wave: Wave, own_rate_hz: int, rate_hz: int, trim: bool) -> Wave:
    peak = float(np.abs(wave).max(initial=0.0))
    if not peak <= MAX_AMPLITUDE:
        raise BadAudio(f"It holds a sample of {peak:g}; allowed is up to {MAX_AMPLITUDE:g}.")
    if peak < SILENT:
        raise BadAudio(f"It is silent: its peak is {peak:g}, at least {SILENT:g} is needed.")
    if trim:
        loud = np.flatnonzero(np.abs(wave) > TRIM * peak)
        wave = wave[loud[0] : loud[-1] + 1]
    if len(wave) < MIN_S * own_rate_hz:
        raise BadAudio(
            f"It lasts {len(wave) / own_rate_hz:.3f} s; at least {MIN_S:g} s are needed."
        )
    scaled = wave * np.float32(PEAK / peak)
    if own_rate_hz == rate_hz:
        return scaled
    return np.asarray(soxr.resample(scaled, own_rate_hz, rate_hz, "HQ"), np.float32)
