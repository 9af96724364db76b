"""Foreign sessions: whatever the files of a scene hold, it is a valid scene or BadSession."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scene import codec, history, limits
from engine.scene.book import SceneBook
from engine.scene.edits import (
    AddSources,
    Change,
    Edit,
    Merge,
    NewScene,
    NewSource,
    Redo,
    Remove,
    Reorder,
    SetBox,
    SetField,
    SetSceneField,
    Split,
    Undo,
)
from engine.scene.history import MAX_STEPS, Timeline, advance
from engine.scene.model import Scene
from engine.scene.snapshot import timeline_from_json, timeline_to_json
from osc_bridge.errors import BadSession

NEW = NewScene("scene1", "Alley", 0, 96_000, 7)
PICTURE = f"media/{'a' * 64}.png"
TEXT = NewSource("text", "rain", text="rain")
REGION = NewSource("region", "dog", media=PICTURE, box=(0, 0, 8, 8))
SOUND = NewSource("audio", "wind", media=f"media/{'b' * 64}.wav")
IMAGE = NewSource("image", "frame", media=PICTURE)
EVERY: list[Edit] = [
    NEW,
    AddSources((TEXT, IMAGE, REGION, SOUND), frame=PICTURE),
    SetField("s1", "gain_db", -3.5),
    SetField("s1", "label", 'quoted "rain" \\ \u2028 ☂'),
    SetField("s1", "mute", True),
    SetField("s1", "seed", 3),
    SetSceneField("name", "Yard"),
    SetBox("s3", (1, 2, 3, 4)),
    Split("s3", (REGION, REGION)),
    Merge(("s3", "s5"), REGION),
    Reorder("s1", 2),
    Remove("s4"),
    Undo(),
    Undo(),
    Redo(),
]


def timeline_of(edits: list[Edit]) -> Timeline:
    now = history.begin(edits[0])
    for edit in edits[1:]:
        now = advance(now, edit, 0)
    return now


def scene() -> Scene:
    return timeline_of(EVERY[:2]).scene


def snapshot() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(timeline_to_json(timeline_of(EVERY)))
    return data


def journal() -> bytes:
    now, lines = history.begin(NEW), [codec.edit_to_json(NEW, 1, 0)]
    for edit in EVERY[1:]:
        now = advance(now, edit, 0)
        lines.append(codec.edit_to_json(edit, now.scene.revision, 0))
    return "".join(f"{line}\n" for line in lines).encode()


def refused(folder: Path, name: str, data: bytes) -> str:
    """Write one file of a session, expect BadSession from every way to open it."""
    (folder / name).write_bytes(data)
    with pytest.raises(BadSession) as caught:
        SceneBook(folder).get("scene1")
    sentence = str(caught.value)
    assert name in sentence
    assert "copy" in sentence or "update" in sentence
    assert len(sentence) < 800
    assert (folder / name).read_bytes() == data
    return sentence


def test_every_edit_and_scene_survives_as_json() -> None:
    now = timeline_of(EVERY)
    for edit in EVERY:
        again = codec.edit_from_json(codec.edit_to_json(edit, 2, 3))
        assert again == (edit, 2, 3)
    assert timeline_from_json(timeline_to_json(now)) == now
    assert codec.scene_from_json(codec.scene_to_json(now.scene)) == now.scene
    assert "\n" not in timeline_to_json(now)


def test_a_whole_history_of_a_full_scene_stays_small() -> None:
    """Sources that did not change are written once: not 100 times 64."""
    now = timeline_of([NEW, AddSources((TEXT,) * 64)])
    for step in range(MAX_STEPS):
        now = advance(now, SetField(f"s{1 + step % 64}", "gain_db", -1 - step / 10), step * 5_000)
    assert now.history.undo_steps == MAX_STEPS
    assert len(timeline_to_json(now)) < 100_000
    assert timeline_from_json(timeline_to_json(now)) == now


HOSTILE: dict[str, dict[str, Any]] = {
    "media outside": {"frame": "../../etc/passwd"},
    "absolute media": {"frame": "/etc/passwd"},
    "not a number": {"seed": "1"},
    "flag for a number": {"revision": True},
    "endless": {"duration_samples": 10**12},
    "ends before a source starts": {"duration_samples": 14_399},
    "no sources": {"sources": {}},
    "other id": {"id": "../scene2"},
    "other rate": {"sample_rate": 44_100},
    "revision 0": {"revision": 0},
    "id to come": {"next_source": 1},
    "endless ids": {"next_source": 10**9},
    "name of lines": {"name": "a\nb"},
    "no name": {"name": ""},
    "one key too many": {"extra": 1},
    "other format": {"format": 99},
    "format of a float": {"format": 2.0},
    "a thousand digits": {"seed": 10**4_000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_scene_is_refused(tmp_path: Path, name: str) -> None:
    """The first release's snapshot is a scene; jobs and takes hold scenes, too."""
    data = {**json.loads(codec.scene_to_json(scene())), **HOSTILE[name]}
    with pytest.raises(BadSession):
        codec.scene_from_json(json.dumps(data))
    old = {key: value for key, value in data.items() if key != "format" or name.endswith("at")}
    if "format" not in name:
        refused(tmp_path, "scene1.json", json.dumps(old).encode())


HOSTILE_SNAPSHOT: dict[str, Any] = {
    "media outside": ("scene", "frame", "../x.png"),
    "source that is not there": ("scene", "sources", [99]),
    "source from the end": ("scene", "sources", [-1]),
    "one source twice": ("scene", "sources", [0, 0]),
    "source of a flag": ("scene", "sources", [True]),
    "a million sources": ("scene", "sources", [0] * 1_000_000),
    "revision of a float": ("scene", "revision", 3.0),
    "revision before its steps": ("scene", "revision", 1),
    "id to come": ("scene", "next_source", 2),
    "step without a scene": ("undo", 0, {"what": "Set."}),
    "step of many words": ("undo", 0, "what", "a" * 200),
    "step of two lines": ("undo", 0, "what", "a\nb"),
    "media of a step": ("undo", 0, "scene", "frame", "/x.png"),
    "step of a later release": ("undo", 0, "scene", "revision", 10**6),
    "step with ids to come": ("undo", 0, "scene", "next_source", 10**5),
    "too many steps": ("redo", [{}] * (MAX_STEPS + 1)),
    "steps of a text": ("undo", "abc"),
    "drag of a text": ("drag", "s1"),
    "drag of no time": ("drag", {"source": "s1", "field": "pan", "time_ms": "now"}),
    "media of a source": ("sources", 0, "media", "../x.wav"),
    "gain of a source": ("sources", 0, "gain_db", 1e300),
    "kind of a source": ("sources", 0, "kind", "smell"),
    "start of a source": ("sources", 0, "start_sample", -1),
    "id": ("id", "../../x"),
    "other scene": ("id", "scene2"),
    "what": ("what", 3),
}


@pytest.mark.parametrize("name", HOSTILE_SNAPSHOT)
def test_a_hostile_snapshot_is_refused(tmp_path: Path, name: str) -> None:
    data = snapshot()
    *path, last, value = HOSTILE_SNAPSHOT[name]
    place = data
    for key in path:
        place = place[key]
    place[last] = value
    if name == "other scene":
        (tmp_path / "scene1.json").write_text(json.dumps(data))
        with pytest.raises(BadSession, match="hold scene 'scene2'"):
            SceneBook(tmp_path).get("scene1")
        return
    refused(tmp_path, "scene1.json", json.dumps(data).encode())


@pytest.mark.parametrize("steps", ["undo", "redo"])
def test_a_history_longer_than_ours_is_refused(tmp_path: Path, steps: str) -> None:
    data = snapshot()
    data[steps] = data["undo"][:1] * (MAX_STEPS + 1)
    assert "100 steps" in refused(tmp_path, "scene1.json", json.dumps(data).encode())


TEXTS = {
    "nothing": b"",
    "not JSON": b"scene",
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "NaN": b'{"format":2,"seed":NaN}',
    "Infinity": b'{"revision":-Infinity}',
    "deep": b"[" * 100_000,
    "deep and closed": b'{"format":' * 900 + b"1" + b"}" * 900,
    "deep values": b'{"format":2,"id":' + b"[" * 600 + b"]" * 600 + b"}",
    "five thousand digits": b'{"format":' + b"9" * 5_000 + b"}",
    "another coding": '{"format":2}'.encode("utf-16"),
    "a mark before it": b'\xef\xbb\xbf{"format":2}',
    "half a surrogate": b'{"format":2,"id":"\\ud800"}',
    "a zero byte": b'{"format":2}\0',
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_scene_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, "scene1.json", TEXTS[name])
    (tmp_path / "scene1.json").unlink()
    refused(tmp_path, "scene1.journal", TEXTS[name].replace(b"\n", b"") + b"\n")


def test_a_file_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.scene.replay.MAX_FILE_BYTES", 1_000)
    for name in ("scene1.json", "scene1.journal"):
        assert "0 to 1000 bytes" in refused(tmp_path, name, b" " * 1_001)
        (tmp_path / name).unlink()


HOSTILE_LINES: dict[str, Any] = {
    "a million sources": {"edit": "add", "data": {"frame": "", "sources": [[]] * 200_000}},
    "media outside": {"edit": "add", "data": {"frame": "../x.png", "sources": []}},
    "part outside": {
        "edit": "split",
        "data": {
            "source": "s1",
            "parts": [dict(vars(TEXT)), {**vars(REGION), "media": "/etc/passwd.png"}],
        },
    },
    "whole outside": {
        "edit": "merge",
        "data": {"sources": ["s1", "s2"], "whole": {**vars(SOUND), "media": "//x/y.wav"}},
    },
    "one part": {"edit": "split", "data": {"source": "s1", "parts": [dict(vars(TEXT))]}},
    "value of a list": {"edit": "set", "data": {"source": "s1", "field": "pan", "value": [1]}},
    "value of nothing": {"edit": "set", "data": {"source": "s1", "field": "pan", "value": None}},
    "field of python": {"edit": "set", "data": {"source": "s1", "field": "__class__", "value": 1}},
    "id of a source": {"edit": "set", "data": {"source": "s1", "field": "id", "value": "s2"}},
    "source not there": {"edit": "remove", "data": {"source": "s7" * 5_000}},
    "box of five": {"edit": "box", "data": {"source": "s3", "box": [0, 0, 1, 1, 1]}},
    "box of floats": {"edit": "box", "data": {"source": "s3", "box": [0.0, 0, 1, 1]}},
    "endless box": {"edit": "box", "data": {"source": "s3", "box": [0, 0, 2**40, 1]}},
    "position of a flag": {"edit": "reorder", "data": {"source": "s3", "position": True}},
    "nothing to redo": {"edit": "redo", "data": {}},
    "undo of what": {"edit": "undo", "data": {"steps": 2}},
    "nothing changed": {"edit": "reorder", "data": {"source": "s1", "position": 0}},
    "begun again": {"edit": "new", "data": dict(vars(NEW))},
    "unknown edit": {"edit": "explode", "data": {}},
    "edit of a list": {"edit": ["undo"], "data": {}},
    "time of a text": {"edit": "undo", "data": {}, "time": "now"},
    "time of a float": {"edit": "undo", "data": {}, "time": 1.5},
    "revision of a text": {"edit": "undo", "data": {}, "revision": "3"},
    "revision of a leap": {"edit": "undo", "data": {}, "revision": 4},
    "more than an edit": {"edit": "undo", "data": {}, "then": "quit"},
}


@pytest.mark.parametrize("name", HOSTILE_LINES)
def test_a_hostile_line_is_refused(tmp_path: Path, name: str) -> None:
    before = b"".join(journal().splitlines(keepends=True)[:2])
    line = json.dumps({"revision": 3, "time": 0, **HOSTILE_LINES[name]}).encode()
    assert "Line 3" in refused(tmp_path, "scene1.journal", before + line + b"\n")


@pytest.mark.parametrize("value", [1e9, float("nan"), None, "2", 10**400])
def test_a_hostile_number_is_refused(value: Any) -> None:
    data = json.loads(codec.scene_to_json(scene()))
    data["sources"][0]["weight"] = value
    with pytest.raises(BadSession):
        codec.scene_from_json(json.dumps(data))


HOSTILE_SOURCE: dict[str, dict[str, Any]] = {
    "id of a path": {"id": "../s1"},
    "id 0": {"id": "s0"},
    "id with zeros": {"id": "s01"},
    "id to come": {"id": "s5"},
    "id of another": {"id": "s2"},
    "category": {"cat_id": "a b"},
    "duration": {"duration_samples": 5},
    "text of a text": {"text": " "},
    "media of a text": {"media": PICTURE},
    "box of a text": {"box": [0, 0, 1, 1]},
    "text of a picture": {"kind": "image", "media": PICTURE},
    "no picture": {"kind": "image", "text": ""},
    "no box": {"kind": "region", "text": "", "media": PICTURE},
    "box of a sound": {"kind": "audio", "text": "", "media": PICTURE, "box": [0, 0, 1, 1]},
    "box inside out": {"kind": "region", "text": "", "media": PICTURE, "box": [4, 0, 2, 1]},
    "box outside": {"kind": "region", "text": "", "media": PICTURE, "box": [-1, 0, 2, 1]},
    "endless box": {"kind": "region", "text": "", "media": PICTURE, "box": [0, 0, 2**40, 1]},
}


@pytest.mark.parametrize("name", HOSTILE_SOURCE)
def test_a_source_that_does_not_fit_is_refused(name: str) -> None:
    data = json.loads(codec.scene_to_json(scene()))
    data["sources"][0].update(HOSTILE_SOURCE[name])
    with pytest.raises(BadSession):
        codec.scene_from_json(json.dumps(data))
    whole = snapshot()
    texts = [source for source in whole["sources"] if source["kind"] == "text"]
    texts[-1].update(HOSTILE_SOURCE[name])
    with pytest.raises(BadSession):
        timeline_from_json(json.dumps(whole))


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_bad_session(text: str) -> None:
    for read in (codec.scene_from_json, codec.edit_from_json, timeline_from_json):
        with pytest.raises(BadSession):
            read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def _mutated(data: st.DataObject, value: Any) -> Any:
    """The value with one place of it, anywhere, made something else."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: _mutated(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.integers(0, 5)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], _mutated(data, value[place]), *value[place + 1 :]]
    return data.draw(JSON)


def _opens_or_is_refused(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            (Path(name) / file).write_bytes(content)
        try:
            opened = SceneBook(Path(name)).timeline("scene1")
        except BadSession as error:
            assert len(str(error)) < 800
            return
        limits.check_scene(opened.scene)
        assert timeline_from_json(timeline_to_json(opened)) == opened
        while opened.undo:
            opened = advance(opened, Undo(), 0)
            limits.check_scene(opened.scene)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_mutated_line_makes_a_valid_scene_or_bad_session(data: st.DataObject) -> None:
    lines = journal().splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines) - 1))
    mutated = _mutated(data, json.loads(lines[place]))
    lines[place] = json.dumps(mutated).encode() + b"\n"
    _opens_or_is_refused({"scene1.journal": b"".join(lines)})


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_mutated_snapshot_makes_a_valid_scene_or_bad_session(data: st.DataObject) -> None:
    _opens_or_is_refused({"scene1.json": json.dumps(_mutated(data, snapshot())).encode()})


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_mutated_bytes_make_a_valid_scene_or_bad_session(data: st.DataObject) -> None:
    files = {"scene1.journal": journal(), "scene1.json": json.dumps(snapshot()).encode()}
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    _opens_or_is_refused({name: bytes(content)})


def test_every_edit_that_can_be_written_can_be_read() -> None:
    kinds = {type(edit) for edit in EVERY}
    assert set(Change.__args__) | {NewScene, Undo, Redo} == kinds
