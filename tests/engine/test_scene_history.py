"""Undo and redo: what is a step, what comes back, and that a crash anywhere changes neither."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scene import history
from engine.scene.book import SceneBook
from engine.scene.edits import (
    AddSources,
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
from engine.scene.history import DRAG_MS, MAX_STEPS, Timeline, advance
from engine.scene.journal import Journal
from engine.scene.model import Scene, altered
from engine.scene.snapshot import timeline_from_json, timeline_to_json
from osc_bridge.errors import NothingToUndo, WildtrackError

NEW = NewScene("scene1", "Alley", 0, 96_000, 7)
PICTURE = f"media/{'a' * 64}.png"
TEXT = NewSource("text", "rain", text="rain")
REGION = NewSource("region", "dog", media=PICTURE, box=(0, 0, 8, 8))

ids = st.integers(1, 9).map(lambda number: f"s{number}")
new_sources = st.sampled_from([TEXT, REGION])
fields = st.sampled_from([("gain_db", -3), ("gain_db", 1.5), ("pan", 0.5), ("mute", True)])
edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(lambda s, f: SetField(s, *f), ids, fields),
    st.builds(AddSources, st.lists(new_sources, min_size=1, max_size=3).map(tuple)),
    st.builds(SetSceneField, st.just("duration_samples"), st.integers(14_400, 96_000)),
    st.builds(SetBox, ids, st.just((1, 1, 5, 5))),
    st.builds(Split, ids, st.just((REGION, TEXT))),
    st.builds(Merge, st.tuples(ids, ids), st.just(TEXT)),
    st.builds(Reorder, ids, st.integers(0, 4)),
    st.builds(Remove, ids),
    st.just(Undo()),
    st.just(Redo()),
)
timed = st.lists(st.tuples(edits, st.sampled_from([0, 10, 990, 5_000])), max_size=24)


@pytest.fixture(autouse=True)
def journals(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Journal]]:
    """The journals that a test opens; a killed engine closes nothing, so it is done here."""
    made: list[Journal] = []
    begin = Journal.__init__

    def init(journal: Journal, folder: Path, scene_id: str) -> None:
        begin(journal, folder, scene_id)
        made.append(journal)

    monkeypatch.setattr(Journal, "__init__", init)
    yield made
    for journal in made:
        journal.release()


def timeline_of(*steps: Edit | tuple[Edit, int]) -> Timeline:
    """The timeline after edits that come a minute after each other, or so many ms."""
    now, time_ms = history.begin(NEW), 0
    for step in steps:
        edit, later_ms = step if isinstance(step, tuple) else (step, 60_000)
        time_ms += later_ms
        now = advance(now, edit, time_ms)
    return now


def possible(steps: Sequence[tuple[Edit, int]]) -> list[Timeline]:
    """Every state on the way through those of ``steps`` that can be done."""
    states, time_ms = [history.begin(NEW)], 0
    for edit, later_ms in steps:
        time_ms += later_ms
        try:
            states.append(advance(states[-1], edit, time_ms))
        except WildtrackError:
            continue
    return states


def content(scene: Scene) -> Scene:
    return altered(scene, revision=1, next_source=1)


@settings(max_examples=60, deadline=None)
@given(timed)
def test_all_undone_and_all_redone_is_where_one_was(steps: list[tuple[Edit, int]]) -> None:
    end = possible(steps)[-1]
    now, went = end, []
    while now.undo:
        went.append(now)
        now = advance(now, Undo(), 0)
    while went:
        now = advance(now, Redo(), 0)
        assert content(now.scene) == content(went.pop().scene)
    assert content(now.scene) == content(end.scene)
    assert now.history.redo_steps == end.history.redo_steps


@settings(max_examples=60, deadline=None)
@given(timed)
def test_revisions_rise_by_one_and_ids_are_never_given_again(
    steps: list[tuple[Edit, int]],
) -> None:
    states = possible(steps)
    made: dict[str, tuple[Any, ...]] = {}
    for before, after in pairwise(states):
        if after is before:
            continue
        assert after.scene.revision == before.scene.revision + 1
        assert after.scene.next_source >= before.scene.next_source
        for source in after.scene.sources:
            number = int(source.id[1:])
            assert number < after.scene.next_source
            born = made.setdefault(source.id, (after.scene.revision, source.seed))
            assert born[1] == source.seed
            if number >= before.scene.next_source:
                assert born[0] == after.scene.revision


@settings(max_examples=60, deadline=None)
@given(timed)
def test_a_timeline_survives_its_snapshot(steps: list[tuple[Edit, int]]) -> None:
    now = possible(steps)[-1]
    assert timeline_from_json(timeline_to_json(now)) == now


@settings(max_examples=25, deadline=None)
@given(timed, st.data())
def test_a_crash_at_any_byte_leaves_a_state_with_all_that_was_acknowledged(
    steps: list[tuple[Edit, int]], data: st.DataObject
) -> None:
    """The journal is cut at a byte; all edits whose lines are whole are there, history and all."""
    now_s = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book = SceneBook(folder, clock_s=lambda: now_s)
        book.new("Alley", 0, 96_000, 7)
        journal = folder / "scene1.journal"
        states = [(journal.stat().st_size, book.timeline("scene1"))]
        save_at = data.draw(st.integers(0, 24))
        for number, (edit, later_ms) in enumerate(steps):
            now_s += later_ms / 1000
            book.change_all([("scene1", edit)])
            if number == save_at:
                book.save("scene1")
                states.clear()
            states.append((journal.stat().st_size, book.timeline("scene1")))
        cut = data.draw(st.integers(states[0][0], states[-1][0]))
        journal.write_bytes(journal.read_bytes()[:cut])
        expected = [state for size, state in states if size <= cut][-1]
        assert SceneBook(folder).timeline("scene1") == expected
        book.close()


def test_a_hundred_steps_come_back_also_after_a_restart(tmp_path: Path) -> None:
    book = SceneBook(tmp_path)
    book.new("Alley", 0, 96_000, 7)
    book.change("scene1", AddSources((TEXT,)))
    steps = [("scene1", Reorder("s2", step % 2)) for step in range(1, MAX_STEPS + 21)]
    book.change("scene1", AddSources((TEXT,)))
    book.change_all([(scene, altered(edit, position=1 - edit.position)) for scene, edit in steps])
    first = book.get("scene1")
    for restart in range(2):
        book.close() if restart else None
        book = SceneBook(tmp_path)
        assert book.get("scene1") == first
        assert book.history("scene1").undo_steps == MAX_STEPS
    for _ in range(MAX_STEPS):
        book.change("scene1", Undo())
    book = SceneBook(tmp_path)
    with pytest.raises(NothingToUndo, match="up to 100 steps"):
        book.change("scene1", Undo())
    for _ in range(MAX_STEPS):
        book.change("scene1", Redo())
    assert content(book.get("scene1")) == content(first)
    with pytest.raises(NothingToUndo, match="each new edit ends it"):
        book.change("scene1", Redo())


EACH: list[Edit] = [
    AddSources((TEXT,), frame=PICTURE),
    SetField("s1", "gain_db", -3),
    SetField("s1", "text", "wind"),
    SetSceneField("name", "Yard"),
    SetSceneField("duration_samples", 48_000),
    SetBox("s2", (1, 1, 2, 2)),
    Split("s2", (REGION, REGION)),
    Merge(("s2", "s1"), REGION),
    Reorder("s2", 0),
    Remove("s1"),
]


@pytest.mark.parametrize("edit", EACH, ids=lambda edit: type(edit).__name__)
def test_every_edit_is_undone_and_redone(edit: Edit) -> None:
    before = timeline_of(AddSources((TEXT, REGION)))
    after = advance(before, edit, 100_000)
    undone = advance(after, Undo(), 100_000)
    redone = advance(undone, Redo(), 100_000)
    assert content(undone.scene) == content(before.scene)
    assert content(redone.scene) == content(after.scene)
    assert (undone.scene.revision, redone.scene.revision) == (4, 5)
    assert (undone.what, redone.what) == (f"Undone: {after.what}", f"Redone: {after.what}")


def test_a_new_edit_ends_redo_and_an_undone_id_is_not_given_again() -> None:
    now = timeline_of(AddSources((TEXT,)), AddSources((TEXT,)), Undo(), AddSources((TEXT,)))
    assert [source.id for source in now.scene.sources] == ["s1", "s3"]
    assert now.history == history.History(2, 0, "Added a source.")


def drag(source: str, field: str, *steps: tuple[float, int]) -> list[tuple[Edit, int]]:
    return [(SetField(source, field, value), later_ms) for value, later_ms in steps]


def test_a_fader_that_is_drawn_is_one_step() -> None:
    added = AddSources((TEXT, TEXT))
    now = timeline_of(added, *drag("s1", "gain_db", (-1, 60_000), (-2, 20), (-3, DRAG_MS), (-4, 0)))
    assert now.history.undo_steps == 2
    assert now.scene.revision == 6
    assert advance(now, Undo(), 0).scene.source("s1").gain_db == 0.0


@pytest.mark.parametrize(
    "drawn",
    [
        [SetBox("s2", (0, 0, edge, 9)) for edge in range(3, 6)],
        [SetSceneField("duration_samples", length) for length in (90_000, 80_000, 70_000)],
        [SetSceneField("name", name) for name in ("Y", "Ya", "Yard")],
        [SetField("s1", "text", text) for text in ("w", "wi", "wind")],
    ],
)
def test_a_box_that_is_drawn_and_a_name_that_is_typed_are_one_step(drawn: list[Edit]) -> None:
    before = timeline_of(AddSources((TEXT, REGION)))
    now = before
    for place, edit in enumerate(drawn):
        now = advance(now, edit, 120_000 + 20 * place)
    assert len(now.undo) == len(before.undo) + 1
    assert content(advance(now, Undo(), 0).scene) == content(before.scene)


def test_faders_that_are_drawn_at_once_are_one_step() -> None:
    before = timeline_of(AddSources((TEXT, TEXT, TEXT)), SetField("s1", "pan", 1))
    now, time_ms = before, 120_000
    for tick in range(1, 200):
        now = advance(now, SetField(f"s{1 + tick % 3}", "gain_db", -tick / 100), time_ms)
        time_ms += 20
    assert len(now.undo) == len(before.undo) + 1
    assert now.what == "Set several faders."
    assert content(advance(now, Undo(), 0).scene) == content(before.scene)
    assert timeline_from_json(timeline_to_json(now)) == now
    later = advance(now, SetField("s1", "gain_db", -9), time_ms + 2 * DRAG_MS)
    assert len(later.undo) == len(now.undo) + 1, "a new drag"


def test_faders_that_are_drawn_one_after_the_other_are_a_step_each() -> None:
    now, time_ms = timeline_of(AddSources((TEXT, TEXT))), 120_000
    for source in ("s1", "s2"):
        for tick in range(5):
            now = advance(now, SetField(source, "gain_db", -tick - 1), time_ms)
            time_ms += 20
    assert [step.what for step in now.undo[1:]] == ["Set gain_db of s1.", "Set gain_db of s2."]


@pytest.mark.parametrize("switch", ["mute", "solo"])
def test_a_switch_is_a_step_each_time(switch: str) -> None:
    before = timeline_of(AddSources((TEXT,)))
    on = advance(before, SetField("s1", switch, True), 120_000)
    off = advance(on, SetField("s1", switch, False), 120_010)
    assert content(advance(off, Undo(), 0).scene) == content(on.scene)


def test_seeds_tried_one_after_the_other_can_all_be_returned_to() -> None:
    now = timeline_of(AddSources((TEXT,)))
    for seed in range(5):
        now = advance(now, SetField("s1", "seed", seed), 120_000 + seed)
    assert advance(now, Undo(), 0).scene.source("s1").seed == 3


@pytest.mark.parametrize(
    "between",
    [
        drag("s1", "gain_db", (-2, DRAG_MS + 1)),
        drag("s1", "gain_db", (-2, -1)),
        drag("s1", "mute", (True, 10)),
        [(SetBox("s2", (0, 0, 4, 4)), 10)],
        [(SetSceneField("name", "Yard"), 10)],
        [(Undo(), 10), (Redo(), 10)],
    ],
)
def test_whatever_comes_between_ends_the_drag(between: list[tuple[Edit, int]]) -> None:
    begun = timeline_of(AddSources((TEXT, REGION)), SetField("s1", "gain_db", -1))
    time_ms, now = 120_000, begun
    for edit, later_ms in [*between, *drag("s1", "gain_db", (-3, 10))]:
        time_ms += later_ms
        now = advance(now, edit, time_ms)
    is_same_fader = between[0][0] == SetField("s1", "gain_db", -2)
    is_undone = between[0][0] == Undo()
    assert len(now.undo) - len(begun.undo) == (1 if is_same_fader or is_undone else 2)


def test_edits_without_a_time_are_a_step_each() -> None:
    now = history.begin(NEW)
    faders: list[Edit] = [SetField("s1", "gain_db", -step) for step in range(1, 5)]
    for edit in [AddSources((TEXT,)), *faders]:
        now = advance(now, edit, None)
    assert now.history.undo_steps == 5


def test_a_drag_over_a_restart_is_still_one_step(tmp_path: Path) -> None:
    times_s = iter([1_000.0, 1_000.0, 1_000.0, 1_000.5, 1_001.0])
    for gain_db in (-1, -2, -3):
        book = SceneBook(tmp_path, clock_s=lambda: next(times_s))
        if gain_db == -1:
            book.new("Alley", 0, 96_000, 7)
            book.change("scene1", AddSources((TEXT,)))
        book.change("scene1", SetField("s1", "gain_db", gain_db))
        book.close()
    assert SceneBook(tmp_path).history("scene1").undo_steps == 2
