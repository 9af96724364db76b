"""Every method of the client asks what it says; lists are read as they were at one moment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.caller import Caller
from osc_bridge.calls.pages import TRIES, read_pages
from osc_bridge.client import Client, Snapshot
from osc_bridge.errors import NothingToUndo, OutOfRange, QueueFull, UnknownSource, WildtrackError
from osc_bridge.reply import Reply
from osc_bridge.schema import (
    REQUESTS,
    AddAudio,
    AddImage,
    AddRegion,
    AddText,
    CompareTakes,
    DeleteTake,
    DetectAgain,
    ListJobs,
    ListModels,
    ListScenes,
    ListSources,
    ListTakes,
    LoadModel,
    MergeSources,
    NewScene,
    OpenScene,
    Ping,
    PrioritiseJob,
    Quit,
    Redo,
    RemoveSource,
    RenameTake,
    Render,
    RenderSource,
    ReorderSource,
    Request,
    RestoreTake,
    Result,
    SaveScene,
    SetBox,
    SetScene,
    SetSource,
    SnapshotScene,
    SourcePage,
    SourceRow,
    SplitSource,
    StarTake,
    Status,
    Sync,
    Undo,
    UnloadModel,
)
from osc_bridge.server import OscServer
from osc_bridge.transports.memory import MemoryListener

HERE = str(Path("here.png").absolute())


@dataclass
class ExampleEngine:
    """Answers each request with the example of its result, unless it has an error for it."""

    seen: list[Request[Any]] = field(default_factory=list)
    errors: dict[Request[Any], WildtrackError] = field(default_factory=dict)

    def answer(self, request: Request[Any], _reply: Reply) -> Result:
        self.seen.append(request)
        return request.reply.example()

    def edit(self, replies: Sequence[Reply]) -> list[Result | WildtrackError]:
        requests = [reply.request for reply in replies]
        self.seen += requests
        return [self.errors.get(r) or r.reply.example() for r in requests]


@pytest.fixture
def engine() -> ExampleEngine:
    return ExampleEngine()


@pytest.fixture
def client(engine: ExampleEngine) -> Iterator[Client]:
    listener = MemoryListener()
    with OscServer(engine, [listener]), Client(listener.connect(), timeout_s=20.0) as client:
        engine.seen.clear()
        yield client


CALLS: dict[str, tuple[Callable[[Client], object], Request[Any]]] = {
    "status": (lambda c: c.status(), Status()),
    "quit": (lambda c: c.quit(), Quit()),
    "new_scene": (lambda c: c.new_scene("A", 5, 2.0, 3), NewScene("A", 5, 96_000, 3)),
    "open_scene": (lambda c: c.open_scene("a"), OpenScene("a")),
    "save_scene": (lambda c: c.save_scene("a"), SaveScene("a")),
    "set_scene": (lambda c: c.set_scene("a", seed=4), SetScene("a", "seed", 4)),
    "scenes": (lambda c: c.scenes(), ListScenes()),
    "snapshot": (lambda c: c.snapshot("a"), SnapshotScene("a")),
    "undo": (lambda c: c.undo("a"), Undo("a")),
    "redo": (lambda c: c.redo("a"), Redo("a")),
    "add_image": (lambda c: c.add_image("a", "here.png", "dog"), AddImage("a", HERE, "dog")),
    "add_region": (
        lambda c: c.add_region("a", "here.png", (1, 2, 3, 4)),
        AddRegion("a", HERE, 1, 2, 3, 4),
    ),
    "add_text": (lambda c: c.add_text("a", "rain"), AddText("a", "rain")),
    "add_audio": (lambda c: c.add_audio("a", "here.png"), AddAudio("a", HERE)),
    "set": (lambda c: c.set("a", "s1", pan=1), SetSource("a", "s1", "pan", 1.0)),
    "sources": (lambda c: c.sources("a"), ListSources("a")),
    "box": (lambda c: c.box("a", "s1", (1, 2, 3, 4)), SetBox("a", "s1", 1, 2, 3, 4)),
    "split": (lambda c: c.split("a", "s1", 9), SplitSource("a", "s1", 9)),
    "merge": (lambda c: c.merge("a", ["s1", "s2"]), MergeSources("a", ("s1", "s2"))),
    "reorder": (lambda c: c.reorder("a", "s1", 2), ReorderSource("a", "s1", 2)),
    "remove": (lambda c: c.remove("a", "s1"), RemoveSource("a", "s1")),
    "detect_again": (lambda c: c.detect_again("a"), DetectAgain("a")),
    "render": (lambda c: c.render("a"), Render("a", "independent", "final")),
    "preview": (lambda c: c.preview("a"), Render("a", "independent", "preview")),
    "render_source": (lambda c: c.render_source("a", "s1"), RenderSource("a", "s1", "preview")),
    "jobs": (lambda c: c.jobs(), ListJobs()),
    "prioritise": (lambda c: c.prioritise(9, "now"), PrioritiseJob(9, "now")),
    "takes": (lambda c: c.takes("a", trash=True), ListTakes(0, "a", True)),
    "rename_take": (lambda c: c.rename_take("t1", "Wet"), RenameTake("t1", "Wet")),
    "star_take": (lambda c: c.star_take("t1", starred=False), StarTake("t1", False)),
    "delete_take": (lambda c: c.delete_take("t1"), DeleteTake("t1")),
    "restore_take": (lambda c: c.restore_take("t1"), RestoreTake("t1")),
    "compare_takes": (lambda c: c.compare_takes("t1", "t2"), CompareTakes("t1", "t2")),
    "models": (lambda c: c.models(), ListModels()),
    "load_model": (lambda c: c.load_model("p"), LoadModel("p")),
    "unload_model": (lambda c: c.unload_model("p"), UnloadModel("p")),
}
SERVED = {"ping": Ping, "sync": Sync}
"""What the server answers without asking the engine."""
TESTED_ELSEWHERE = {"subscribe", "unsubscribe", "close", "connect"}


@pytest.mark.parametrize("name", CALLS)
def test_each_method_sends_its_request(client: Client, engine: ExampleEngine, name: str) -> None:
    ask, expected = CALLS[name]
    ask(client)
    assert engine.seen == [expected]


def test_no_method_and_no_request_is_forgotten() -> None:
    of_caller = {name for name, _ in inspect.getmembers(Caller)}
    methods = {n for n, _ in inspect.getmembers(Client) if not n.startswith("_")} - of_caller
    assert methods == (set(CALLS) | set(SERVED) | TESTED_ELSEWHERE) - of_caller
    asked = {type(request) for _, request in CALLS.values()} | set(SERVED.values())
    left = {request.__name__ for request in REQUESTS if request not in asked}
    assert left == {"Hello", "Subscribe", "Unsubscribe", "CancelJob"}


def test_what_the_server_answers_comes_too(client: Client) -> None:
    assert client.ping(20.0).uptime_s >= 0
    client.sync()


def test_a_snapshot_is_one_object(client: Client) -> None:
    example = SnapshotScene.reply.example()
    snapshot = client.snapshot("alley")
    assert isinstance(snapshot, Snapshot)
    assert snapshot.sources == (SourceRow.example(),)
    assert all(
        getattr(snapshot, name) == getattr(example, name)
        for name in Snapshot.__dataclass_fields__
        if name != "sources"
    )


def test_several_settings_go_out_together_and_the_first_error_is_raised(
    client: Client, engine: ExampleEngine
) -> None:
    bad = SetSource("a", "s9", "pan", 0.5)
    engine.errors[bad] = UnknownSource("Scene a has no source s9.")
    with pytest.raises(UnknownSource, match="s9"):
        client.set("a", "s9", gain_db=-6, pan=0.5, mute=True)
    assert [request.field for request in engine.seen] == ["gain_db", "pan", "mute"]
    assert client.pending_count == 0


def test_undo_without_a_change_is_an_error(client: Client, engine: ExampleEngine) -> None:
    engine.errors[Undo("a")] = NothingToUndo("Scene a has no change to take back.")
    with pytest.raises(NothingToUndo):
        client.undo("a")


class Shelf:
    """A list of rows in pages of two, which changes while pages of it are read."""

    def __init__(self, changes: int, rows: int = 5) -> None:
        self.revision = 1
        self.rows = [SourceRow(f"s{i}", "text", "") for i in range(rows)]
        self.asked: list[int] = []
        self._changes = changes

    def fetch(self, page: int) -> SourcePage:
        self.asked.append(page)
        if page and self._changes:
            self._changes -= 1
            self.revision += 1
            self.rows.pop()
        if page * 2 > len(self.rows):
            raise OutOfRange("There is no such page.")
        following = page + 1 if (page + 1) * 2 < len(self.rows) else -1
        part = tuple(self.rows[page * 2 : page * 2 + 2])
        return SourcePage("a", self.revision, page, following, len(self.rows), part)


@pytest.mark.parametrize("changes", [0, 1, 2, 4])
def test_pages_come_from_one_revision(changes: int) -> None:
    shelf = Shelf(changes)
    pages = read_pages(shelf.fetch)
    assert {page.revision for page in pages} == {shelf.revision}
    assert [row for page in pages for row in page.rows] == shelf.rows


def test_a_list_that_never_rests_is_given_up() -> None:
    shelf = Shelf(10_000, rows=200)
    with pytest.raises(QueueFull, match=f"changed {TRIES} times"):
        read_pages(shelf.fetch)
    assert shelf.asked == [0, 1] * TRIES


def test_a_list_without_such_a_page_is_an_error_of_the_first_page() -> None:
    def fetch(page: int) -> SourcePage:
        raise OutOfRange("There is no such scene.")

    with pytest.raises(OutOfRange):
        read_pages(fetch)
