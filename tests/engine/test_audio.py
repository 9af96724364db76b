"""Sound files in and out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio import load_audio, read_stem, resample, stem_bytes, write_stem
from osc_bridge.errors import BadAudio

RATE = 48_000


def tone(seconds: float, rate: int, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "caf"])
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_tone_keeps_pitch_length_and_level(tmp_path: Path, suffix: str, rate: int) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([tone(2, rate), tone(2, rate)], axis=1), rate)
    wave = load_audio(path, 16_000, (tmp_path,))
    assert wave.dtype == np.float32
    assert abs(len(wave) - 32_000) < 2_000
    middle = wave[8_000:24_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(16_000)))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert abs(np.sqrt(np.mean(middle**2)) - 0.5 / np.sqrt(2)) < 0.02


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "wide.wav"
    soundfile.write(path, np.stack([tone(1, RATE), -tone(1, RATE)], axis=1), RATE)
    assert np.abs(load_audio(path, RATE, (tmp_path,))).max() < 1e-4


def test_a_streamed_wav_without_its_length_is_read(tmp_path: Path) -> None:
    data = bytearray(stem_bytes(tone(1, RATE)))
    data[4:8] = b"\xff\xff\xff\xff"
    path = tmp_path / "stream.wav"
    path.write_bytes(data)
    assert len(load_audio(path, RATE, (tmp_path,))) == RATE


def test_stems_are_plain_wav_that_others_read(tmp_path: Path) -> None:
    wave = tone(0.5, RATE)
    path = tmp_path / "stem.wav"
    write_stem(path, wave)
    read, rate = soundfile.read(path, dtype="float32")
    info = soundfile.info(path)
    assert (rate, info.channels, info.subtype) == (RATE, 1, "FLOAT")
    assert np.array_equal(read, wave)
    assert np.array_equal(read_stem(path), wave)


def test_equal_waves_are_equal_bytes_whatever_the_time(tmp_path: Path) -> None:
    wave = tone(0.5, RATE)
    digests = {write_stem(tmp_path / f"{number}.wav", wave) for number in range(2)}
    assert len(digests) == 1
    assert b"PEAK" not in stem_bytes(wave), "libsndfile's time stamp lives there"


@pytest.mark.parametrize("cut", [10, 57, 58, 1_000, 96_001])
def test_a_cut_stem_is_found_out(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "stem.wav"
    path.write_bytes(stem_bytes(tone(0.5, RATE))[:cut])
    with pytest.raises(BadAudio, match=r"stem\.wav"):
        read_stem(path)


@pytest.mark.parametrize("samples", [4_000, 24_000, 24_001, 30_000])
def test_resampled_waves_have_the_length_that_was_asked_for(samples: int) -> None:
    wave = resample(tone(0.5, 22_050), 22_050, RATE, samples)
    assert (wave.shape, wave.dtype) == ((samples,), np.float32)
    assert not wave[24_010:].any()


def test_a_file_of_many_blocks_equals_one_read_at_once(tmp_path: Path) -> None:
    wave = tone(5, 44_100, 1_000)
    path = tmp_path / "long.wav"
    soundfile.write(path, wave, 44_100, subtype="FLOAT")
    there = load_audio(path, RATE, (tmp_path,))
    once = resample(wave, 44_100, RATE, len(there))
    assert np.abs(there - once)[1_000:-1_000].max() < 1e-4


def test_what_libsndfile_knows_but_we_do_not_allow(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(1, 8_000), 8_000, format="VOC", subtype="PCM_16")
    path = tmp_path / "old.voc"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(BadAudio, match="VOC"):
        load_audio(path, RATE, (tmp_path,))
