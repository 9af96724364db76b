"""Broadcast Wave: what we write, wavinfo and libsndfile read."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from wavinfo import WavInfoReader

from osc_bridge.errors import BadAudio
from plugin_host.bwf import Bext, bwf_bytes, write_bwf
from plugin_host.deliver import DeliverySettings, deliver
from plugin_host.ixml import Slate, UcsFields, ixml_text
from plugin_host.take import read_take

RATE = 48_000
WHEN = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def bext(**changes: Any) -> Bext:
    values: dict[str, Any] = {
        "description": "dog",
        "originator": "Wildtrack",
        "originator_reference": "WT1",
        "origination": WHEN,
        "time_reference": 0,
        "coding_history": "A=PCM,F=48000,W=24,M=mono\r\n",
    }
    return Bext(**(values | changes))


def read_back(data: bytes) -> np.ndarray[Any, Any]:
    audio, _ = soundfile.read(io.BytesIO(data), dtype="int32", always_2d=True)
    return np.asarray(audio.T >> 8)


@given(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=50), st.sampled_from([1, 2]))
def test_24_bit_values_survive(values: list[int], channels: int) -> None:
    integers = np.array([values] * channels)
    audio = (integers / 2**23).astype(np.float32)
    assert np.array_equal(read_back(bwf_bytes(audio, RATE, bext(), "")), integers)


def test_full_scale_is_not_wrapped() -> None:
    audio = np.array([[1.0, -1.0]], np.float32)
    assert read_back(bwf_bytes(audio, RATE, bext(), "")).tolist() == [[2**23 - 1, -(2**23)]]


@pytest.mark.parametrize("bad", [1.0001, -1.5, np.nan, np.inf])
def test_clipping_is_refused(bad: float) -> None:
    with pytest.raises(BadAudio):
        bwf_bytes(np.array([[bad]], np.float32), RATE, bext(), "")


@pytest.mark.parametrize("time_reference", [0, RATE * 3600 * 10 + 17, 2**32 + 5])
def test_wavinfo_reads_bext(tmp_path: Path, time_reference: int) -> None:
    path = tmp_path / "a.wav"
    audio = np.zeros((1, 101), np.float32)
    write_bwf(path, audio, RATE, bext(time_reference=time_reference), "")
    info = WavInfoReader(str(path))
    assert info.bext is not None
    assert info.bext.time_reference == time_reference
    assert info.bext.description == "dog"
    assert info.bext.originator == "Wildtrack"
    assert info.bext.originator_date == "2026-11-23"
    assert info.bext.originator_time == "01:02:03"
    assert info.bext.version == 1
    assert info.bext.coding_history.startswith("A=PCM,F=48000,W=24,M=mono")
    assert info.fmt is not None
    assert (info.fmt.bits_per_sample, info.fmt.sample_rate) == (24, RATE)
    assert info.data is not None
    assert info.data.frame_count == 101


def test_times_are_utc_and_long_or_foreign_text_fits(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=2))
    chunk = bext(
        origination=WHEN.astimezone(zone), description="ä" * 999, originator="日本"
    ).chunk()
    assert chunk[256 + 64 :].startswith(b"2026-11-2301:02:03")
    assert chunk[:256] == b"?" * 256


def test_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_bwf(path, np.zeros((1, 4), np.float32), RATE, bext(), "")
    assert path.read_bytes() == b"mine"


def test_ixml_survives_any_text() -> None:
    slate = Slate("P<&>\0\x1b", "s", "t", RATE, 24, 2**33 + 1)
    ucs = UcsFields("ANIMALS", "DOG", "ANMLDog", "Dog ]]>", "WT", "x")
    text = ixml_text(slate, ucs, ("dog \ud800",), {"TEXT": "\x00'\"<script>"})
    text.encode()
    assert "<catId>ANMLDog</catId>" in text
    assert "<isGenerated>true</isGenerated>" in text
    assert "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>2<" in text
    assert "<script>" not in text


def test_a_delivered_file_says_where_it_belongs(
    fake_session: Callable[..., Any], tmp_path: Path
) -> None:
    session = fake_session()
    session.document["sources"][1]["start_sample"] = 2400
    take = read_take(session.write(), session.folder)
    files = deliver(take, tmp_path / "out", DeliverySettings()).files
    info = WavInfoReader(str(files[1].path))
    assert info.bext is not None
    assert info.bext.time_reference == RATE * 3600 + 2400
    assert info.bext.originator_date == "2026-11-23"
    assert "F=22050" in info.bext.coding_history
    assert info.ixml is not None
    assert (info.ixml.project, info.ixml.scene, info.ixml.take) == ("Alley", "alley", "t0001")
    raw = files[1].path.read_bytes()
    assert b"<LICENCE>CC-BY-SA-4.0</LICENCE>" in raw
    assert b"<SEED>2</SEED>" in raw
    assert b"<subCategory>GLASS</subCategory>" in raw
