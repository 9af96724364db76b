"""Delivery: null tests, levels, names, what is refused, what is never left behind."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from osc_bridge.errors import (
    BadAudio,
    BadPreset,
    BadSession,
    FileMissing,
    NothingToRender,
    PathForbidden,
    SessionNotWritable,
    WildtrackError,
)
from plugin_host.deliver import DeliverySettings, deliver
from plugin_host.items import Delivery
from plugin_host.take import read_take
from presets.schema import builtin_chain, parse_chain

RATE = 48_000
Session = Any
Build = Callable[..., Session]


def run(session: Session, out: Path, **settings: Any) -> Delivery:
    take = read_take(session.write(), session.folder)
    return deliver(take, out, DeliverySettings(**settings))


def samples(path: Path) -> np.ndarray[Any, Any]:
    audio, rate = soundfile.read(path, dtype="float64", always_2d=True)
    assert rate == RATE
    return np.asarray(audio.T)


def test_dry_stems_come_out_bit_for_bit(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    delivery = run(session, tmp_path / "out")
    for file, stem in zip(delivery.files, session.stems, strict=False):
        assert np.array_equal(samples(file.path)[0], stem.astype(np.float64))
        assert soundfile.info(file.path).subtype == "PCM_24"


def test_dry_stems_add_up_to_the_mix(fake_session: Build, tmp_path: Path) -> None:
    *stems, mix = run(fake_session(), tmp_path / "out").files
    total = sum(samples(file.path) for file in stems)
    assert np.abs(total - samples(mix.path)).max() < 1e-4


def test_processed_and_panned_stems_still_add_up(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][0] |= {"chain": "small_room", "gain_db": -3.0}
    session.document["sources"][1] |= {"pan": 0.5, "start_sample": 1000}
    *stems, mix = run(session, tmp_path / "out").files
    assert [file.channels for file in stems] == [2, 2, 1]
    total = np.zeros(samples(mix.path).shape)
    for file in stems:
        audio = samples(file.path)
        start = file.start_sample - mix.start_sample
        spread = math.sqrt(0.5) if len(audio) == 1 else 1.0
        total[:, start : start + audio.shape[1]] += spread * audio
    assert np.abs(total - samples(mix.path)).max() < 1e-4


def test_pan_keeps_the_power(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][0]["pan"] = -0.4
    session.document["sources"][1]["pan"] = 1.0
    files = run(session, tmp_path / "out").files
    for file, stem in zip(files[:2], session.stems, strict=False):
        assert np.sum(samples(file.path) ** 2) == pytest.approx(np.sum(stem**2), rel=1e-3)
    left, right = samples(files[1].path)
    assert not left.round(6).any()
    assert right.any()


def test_gain_in_db(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][0]["gain_db"] = -6.0
    first = run(session, tmp_path / "out").files[0]
    assert np.allclose(samples(first.path)[0], session.stems[0] * 10 ** (-6 / 20), atol=2e-7)
    assert first.peak_dbfs == pytest.approx(20 * math.log10(0.2) - 6, abs=0.01)


def test_muted_sources_are_not_written_nor_mixed(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][1]["mute"] = True
    delivery = run(session, tmp_path / "out")
    assert [file.source_id for file in delivery.files] == ["s1", "s3", ""]
    expected = session.stems[0] + session.stems[2]
    assert np.abs(samples(delivery.files[-1].path)[0] - expected).max() < 1e-4
    assert any("1 of 3 sources are muted" in note for note in delivery.notes)


def test_a_source_of_weight_0_is_written_but_not_mixed(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][1]["weight"] = 0.0
    delivery = run(session, tmp_path / "out")
    assert [file.source_id for file in delivery.files] == ["s1", "s2", "s3", ""]
    assert np.array_equal(samples(delivery.files[1].path)[0], session.stems[1])
    expected = session.stems[0] + session.stems[2]
    assert np.abs(samples(delivery.files[-1].path)[0] - expected).max() < 1e-4
    assert any("no part of the mix: rain on window." in note for note in delivery.notes)


def test_a_mix_of_nothing_is_silence_of_the_scenes_length(
    fake_session: Build, tmp_path: Path
) -> None:
    session = fake_session()
    for row in session.document["sources"]:
        row["weight"] = 0.0
    mix = run(session, tmp_path / "out").files[-1]
    assert mix.length_samples == session.document["duration_samples"]
    assert not samples(mix.path).any()


def test_solo_silences_the_others(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][2]["solo"] = True
    delivery = run(session, tmp_path / "out")
    assert [file.source_id for file in delivery.files] == ["s3", ""]


def test_all_muted_is_said(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    for row in session.document["sources"]:
        row["mute"] = True
    with pytest.raises(NothingToRender, match="unmute"):
        run(session, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_generated_mix_of_independent_stems(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session("independent")
    session.document["sources"][0]["gain_db"] = -20.0
    delivery = run(session, tmp_path / "out")
    mix = samples(delivery.files[-1].path)[0]
    assert np.abs(mix - np.sum(session.stems, axis=0)).max() < 1e-6
    assert any("generated as one sound" in note for note in delivery.notes)


@pytest.mark.parametrize("mode", ["independent", "consistent"])
def test_a_chain_for_all_keeps_its_tail(fake_session: Build, tmp_path: Path, mode: str) -> None:
    delivery = run(fake_session(mode), tmp_path / "out", chain=builtin_chain("hall"))
    assert all(file.channels == 2 for file in delivery.files)
    assert all(file.length_samples > RATE for file in delivery.files)


def test_a_tail_that_is_cut_is_said(fake_session: Build, tmp_path: Path) -> None:
    delay = '[[effects]]\neffect = "delay"\ntime_ms = 1000\nfeedback = 0.9\nmix = 0.5\n'
    chain = parse_chain(delay, "echoes", "test")
    session = fake_session()
    cut = run(session, tmp_path / "out", mix_chain=chain).notes
    assert any(note.startswith("Chain echoes can sound on for 66.6 s") for note in cut)
    hall = run(session, tmp_path / "out", mix_chain=builtin_chain("hall")).notes
    assert not any("sound on" in note for note in hall)


def test_too_loud_is_turned_down_together(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    for row in session.document["sources"]:
        row["gain_db"] = 12.0
    delivery = run(session, tmp_path / "out")
    peaks = [np.abs(samples(file.path)).max() for file in delivery.files]
    assert max(peaks) == pytest.approx(10 ** (-1 / 20), abs=1e-4)
    assert peaks[0] / peaks[2] == pytest.approx(2.0, rel=1e-3)
    *stems, mix = delivery.files
    assert np.abs(sum(samples(f.path) for f in stems) - samples(mix.path)).max() < 1e-4
    assert delivery.trim_db < 0
    assert any("turned down" in note for note in delivery.notes)


def test_names_are_ucs_and_unique(fake_session: Build, tmp_path: Path) -> None:
    delivery = run(fake_session(), tmp_path / "out", creator_id="AB")
    assert [file.path.name for file in delivery.files] == [
        "ANMLDog_Dog_AB_Alley-t0001.wav",
        "RAINGlas_Rain On Window_AB_Alley-t0001.wav",
        "ANMLDog_Dog 02_AB_Alley-t0001.wav",
        "MIX_Alley_AB_Alley-t0001.wav",
    ]
    assert delivery.sidecar.name == "MIX_Alley_AB_Alley-t0001.json"


@pytest.mark.parametrize(
    ("one", "two"), [("rain", "rain."), ("Door: slam", "Door slam"), ("犬" * 60, "犬" * 61)]
)
def test_labels_that_make_one_name_are_told_apart(
    fake_session: Build, tmp_path: Path, one: str, two: str
) -> None:
    session = fake_session()
    for row, label in zip(session.document["sources"], (one, two, one), strict=True):
        row["label"] = label
    files = run(session, tmp_path / "out").files
    assert all(file.path.name.endswith("_WT_Alley-t0001.wav") for file in files)
    shown = json.loads((tmp_path / "out" / "MIX_Alley_WT_Alley-t0001.json").read_text())
    assert [row["fx_name"] for row in shown["files"]] == [f.path.name.split("_")[1] for f in files]
    assert [name[-3:] for name in (f.path.name.split("_")[1] for f in files)][1:3] == [" 02", " 03"]


def test_the_same_take_gives_the_same_bytes(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][0]["chain"] = "far"
    first = run(session, tmp_path / "one")
    second = run(session, tmp_path / "two")
    assert [file.sha256 for file in first.files] == [file.sha256 for file in second.files]
    assert first.sidecar.read_bytes() == second.sidecar.read_bytes()


def test_nothing_is_ever_overwritten(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    first = run(session, tmp_path / "out")
    before = {file.path: file.path.read_bytes() for file in first.files}
    second = run(session, tmp_path / "out")
    assert second.files[0].path.name == "ANMLDog_Dog_WT_Alley-t0001-2.wav"
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_picture_that_is_there_takes_the_number_too(fake_session: Build, tmp_path: Path) -> None:
    (tmp_path / "MIX_Alley_WT_Alley-t0001.png").write_bytes(b"mine")
    delivery = run(fake_session(), tmp_path)
    assert delivery.sidecar.name == "MIX_Alley_WT_Alley-t0001-2.json"


def test_the_sidecar_tells_all(fake_session: Build, tmp_path: Path) -> None:
    delivery = run(fake_session(), tmp_path / "out", chain=builtin_chain("near"))
    sidecar = json.loads(delivery.sidecar.read_text())
    assert sidecar["licence"] == "CC-BY-SA-4.0"
    assert sidecar["is_generated"] is True
    assert sidecar["pack"]["digest"] == "d" * 64
    assert [row["seed"] for row in sidecar["sources"]] == [1, 2, 3]
    for row in sidecar["files"]:
        data = (delivery.folder / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert row["chain"]["name"] in ("near", "dry")


@pytest.mark.parametrize(
    ("mode", "settings", "expected"),
    [
        ("consistent", {}, "sum of the stems"),
        ("consistent", {"mix_chain": "far"}, "sum of the stems through chain far"),
        ("independent", {}, "generated as one sound"),
        ("independent", {"chain": "near"}, "generated as one sound through chain near"),
    ],
)
def test_the_sidecar_says_what_the_mix_is(
    fake_session: Build, tmp_path: Path, mode: str, settings: dict[str, str], expected: str
) -> None:
    chains = {key: builtin_chain(name) for key, name in settings.items()}
    sidecar = run(fake_session(mode), tmp_path / "out", **chains).sidecar
    assert json.loads(sidecar.read_text())["mix_is"] == expected


def test_a_failure_half_way_leaves_nothing(
    fake_session: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("plugin_host.deliver.sidecar_bytes", broken)
    with pytest.raises(KeyboardInterrupt):
        run(fake_session(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("after", [1, 3, 5])
def test_ctrl_c_after_a_file_has_appeared_leaves_nothing(
    fake_session: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    appeared: list[Path] = []

    def interrupted(folder: Path) -> None:
        appeared.append(folder)
        if len(appeared) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr("presets.files.sync_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(fake_session(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_folder_that_cannot_be(fake_session: Build, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionNotWritable, match="--out"):
        run(fake_session(), tmp_path / "file" / "out")


HOSTILE: list[tuple[str, Any, type[WildtrackError]]] = [
    ("sources.0.file", "../../../../etc/passwd", PathForbidden),
    ("sources.0.file", "/etc/passwd", PathForbidden),
    ("sources.0.file", "stems/\0.wav", PathForbidden),
    ("sources.0.file", "stems/none.wav", FileMissing),
    ("sources.0.file", "stems", FileMissing),
    ("sources.0.file", "media/frame.png", BadSession),
    ("sources.0.sha256", "0" * 64, BadSession),
    ("sources.0.chain", "../../etc/passwd", BadPreset),
    ("sources.0.chain", "/tmp/evil.toml", BadPreset),
    ("sources.0.gain_db", 1000, BadSession),
    ("sources.0.gain_db", "loud", BadSession),
    ("sources.0.pan", None, BadSession),
    ("sources.0.start_sample", -1, BadSession),
    ("sources.0.start_sample", 10**15, BadSession),
    ("sources.0.box", [1, 2, 3], BadSession),
    ("sources.0.label", "x" * 500, BadSession),
    ("sources.0.mute", "yes", BadSession),
    ("sources", {}, BadSession),
    ("sources", [{}] * 65, BadSession),
    ("sources", [3], BadSession),
    ("mix", None, BadSession),
    ("stems_mode", "other", BadSession),
    ("scene.sample_rate", 44100, BadSession),
    ("scene.start_sample", 2**70, BadSession),
    ("duration_samples", 0, BadSession),
    ("take", "../" * 20, BadSession),
    ("take", "\N{DOG}" * 16, BadSession),
    ("created", "yesterday", BadSession),
    ("created", "2026-01-01", BadSession),
    ("created", "0001-01-01T00:00:00+14:00", BadSession),
    ("created", "9999-12-31T23:59:59-14:00", BadSession),
    ("created", "0800-12-25T12:00:00Z", BadSession),
    ("sources.0.label", "dog \ud800", BadSession),
    ("sources.0.gain_db", 10**400, BadSession),
    ("scene.name", "\udfff", BadSession),
    ("timings_s", {"render": 10**400}, BadSession),
    ("timings_s", {"render": "long"}, BadSession),
    ("timings_s", {"\ud800": 1.0}, BadSession),
    ("timings_s", {str(i): 1.0 for i in range(40)}, BadSession),
    ("timings_s", [1.0], BadSession),
]


@pytest.mark.parametrize(("where", "value", "error"), HOSTILE)
def test_a_hostile_take_is_refused(
    fake_session: Build, tmp_path: Path, where: str, value: Any, error: type[WildtrackError]
) -> None:
    session = fake_session()
    target: Any = session.document
    *path, last = where.split(".")
    for key in path:
        target = target[int(key)] if key.isdigit() else target[key]
    target[last] = value
    with pytest.raises(error) as caught:
        run(session, tmp_path / "out")
    assert len(str(caught.value)) < 500
    assert not list(tmp_path.glob("out/*"))


def test_a_symlink_out_of_the_session_is_refused(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    outside = tmp_path / "outside.wav"
    outside.write_bytes((session.folder / session.document["mix"]["file"]).read_bytes())
    (session.folder / "stems" / "link.wav").symlink_to(outside)
    session.document["sources"][0]["file"] = "stems/link.wav"
    with pytest.raises(PathForbidden):
        run(session, tmp_path / "out")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"take": NaN}', "[" * 100_000, '{"take": 1' + "0" * 5000 + "}"]
)
def test_broken_json_is_refused(fake_session: Build, text: str) -> None:
    session = fake_session()
    path = session.write()
    path.write_text(text)
    with pytest.raises(BadSession):
        read_take(path, session.folder)


def test_a_take_outside_the_session_is_refused(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    path = session.write()
    (tmp_path / "other").mkdir()
    with pytest.raises(PathForbidden):
        read_take(path, tmp_path / "other")


def test_stems_of_another_shape_are_refused(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    session.document["sources"][0] |= session.add_sound(np.zeros((100, 2), np.float32))
    with pytest.raises(BadAudio, match="2 channels"):
        run(session, tmp_path / "out")
    session.document["sources"][0] |= session.add_sound(np.full(100, np.nan, np.float32))
    with pytest.raises(BadAudio, match="NaN"):
        run(session, tmp_path / "out")


@pytest.mark.parametrize(
    ("sound", "kind", "subtype", "sentence"),
    [
        (np.zeros(100, np.float32), "FLAC", "PCM_24", "FLAC"),
        (np.zeros(601 * RATE, np.int16), "WAV", "PCM_U8", "601 s"),
    ],
)
def test_stems_of_another_kind_are_refused_before_they_are_decoded(
    fake_session: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sound: np.ndarray[Any, Any],
    kind: str,
    subtype: str,
    sentence: str,
) -> None:
    session = fake_session()
    session.document["sources"][0] |= session.add_sound(sound, kind, subtype)
    monkeypatch.delattr(soundfile.SoundFile, "read")
    with pytest.raises(BadAudio, match=sentence):
        run(session, tmp_path / "out")


def test_progress_counts_every_sound(fake_session: Build, tmp_path: Path) -> None:
    session = fake_session()
    seen: list[tuple[int, int]] = []
    take = read_take(session.write(), session.folder)
    deliver(take, tmp_path / "out", DeliverySettings(), lambda done, of: seen.append((done, of)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
