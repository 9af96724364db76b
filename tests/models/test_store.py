"""The store of warm packs: loaded once, held by jobs, evicted by use, gone when unloaded."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from engine.models import loading
from engine.models.footprint import footprint
from engine.models.loading import LoadedPack
from engine.models.news import ModelNews
from engine.models.pack import MANIFEST
from engine.models.store import ModelStore
from osc_bridge.errors import (
    Cancelled,
    EngineUnreachable,
    OutOfMemory,
    PackCorrupt,
    PackInUse,
    PackMissing,
    PathForbidden,
)


@pytest.fixture
def packs(tiny_pack: Path, tmp_path: Path) -> Path:
    """An allowed folder with the packs one, two and three, which differ in their names."""
    for name in ("one", "two", "three"):
        folder = Path(shutil.copytree(tiny_pack, tmp_path / "packs" / name))
        manifest = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps({**manifest, "name": name}))
    return tmp_path / "packs"


@pytest.fixture
def quick_loads(monkeypatch: pytest.MonkeyPatch, loaded_tiny_pack: LoadedPack) -> None:
    """Let all packs share the perception of one, so that a test loads them at once."""
    monkeypatch.setattr(loading, "load_text_encoder", lambda _device: loaded_tiny_pack.texts)
    monkeypatch.setattr(loading, "load_image_encoder", lambda *_: loaded_tiny_pack.images)


@pytest.fixture
def news() -> list[ModelNews]:
    return []


@pytest.fixture
def store(packs: Path, quick_loads: None, news: list[ModelNews]) -> Iterator[ModelStore]:
    store = ModelStore(str(packs / "one"), told=news.append, allowed=(packs.resolve(),))
    yield store
    store.close()


def states(news: list[ModelNews]) -> list[tuple[str, str]]:
    return [(Path(item.pack).name, item.state) for item in news]


def test_the_first_pack_is_loaded_and_warmed_once(store: ModelStore, news: list[ModelNews]) -> None:
    assert not store.is_ready
    store.start()
    with store.using() as pack:
        assert pack is store.current()
        assert pack.manifest.name == "one"
    assert store.is_ready
    assert store.times is not None
    assert min(store.times.load_s, store.times.warm_up_s) > 0
    assert states(news) == [("one", "loading"), ("one", "loaded"), ("one", "in_use")]
    assert store.memory_bytes == sum(footprint(pack).values()) > 100_000
    [row] = [row for row in store.rows() if row.state == "in_use"]
    assert (row.pack, row.memory_bytes) == (news[0].pack, store.memory_bytes)


def test_the_thread_that_loaded_ends(store: ModelStore) -> None:
    """An idle team of OpenMP threads beside the worker's would make renders slow."""
    store.start()
    store.current()
    store._thread.join(10)
    assert not store._thread.is_alive()


def test_importing_the_store_loads_no_torch() -> None:
    code = "import sys, engine.models.store, engine.pipeline; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_whoever_waits_for_the_first_pack_can_be_cancelled(store: ModelStore) -> None:
    def stop(_step: int, _of: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"), store.using(stop):
        pass


def test_a_pack_that_does_not_load_is_said_to_all_who_wait(
    packs: Path, quick_loads: None, news: list[ModelNews]
) -> None:
    (packs / "one" / "codec.safetensors").unlink()
    store = ModelStore(str(packs / "one"), told=news.append, allowed=(packs.resolve(),))
    store.start()
    for _ in range(2):
        with pytest.raises(PackCorrupt, match="codec"):
            store.current()
    assert states(news) == [("one", "loading"), ("one", "failed")]
    assert store.load(str(packs / "two")).state == "in_use"
    assert store.current().manifest.name == "two"
    store.close()


def test_closing_gives_up_a_load(
    packs: Path, quick_loads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    real = loading._read_starter

    def slow(*given: object) -> object:
        entered.set()
        assert go_on.wait(20)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "_read_starter", slow)
    store = ModelStore(str(packs / "one"))
    store.start()
    assert entered.wait(20)
    closing = threading.Thread(target=store.close)
    closing.start()
    with pytest.raises(EngineUnreachable):
        store.current()
    go_on.set()
    closing.join(20)
    assert not closing.is_alive()
    assert not store.packs_loaded


def test_loading_another_makes_it_the_one_in_use(store: ModelStore, packs: Path) -> None:
    store.start()
    first = store.current()
    steps: list[tuple[int, int]] = []
    row = store.load(str(packs / "two"), lambda step, of: steps.append((step, of)))
    assert (row.state, row.device) == ("in_use", "cpu")
    assert steps
    assert store.current().manifest.name == "two"
    store.load(str(packs / "one"))
    assert store.current() is first, "it was still warm"
    assert store.packs_loaded == 2


def test_a_load_that_is_cancelled_changes_nothing(store: ModelStore, packs: Path) -> None:
    store.start()
    first = store.current()

    def stop(step: int, _of: int) -> None:
        if step == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        store.load(str(packs / "two"), stop)
    assert store.current() is first
    assert store.packs_loaded == 1


def test_unloading_frees_the_memory(store: ModelStore, packs: Path, news: list[ModelNews]) -> None:
    store.start()
    first = weakref.ref(store.current())
    weights = weakref.ref(next(store.current().ssv2a.parameters()))
    store.load(str(packs / "two"))
    before = store.memory_bytes
    store.unload(str(packs / "one"))
    gc.collect()
    assert first() is None
    assert weights() is None
    assert store.memory_bytes < before
    assert states(news)[-1] == ("one", "unloaded")
    store.unload(str(packs / "one"))
    assert states(news)[-1] == ("one", "unloaded"), "and nothing more"


def test_a_pack_in_use_or_in_work_is_not_unloaded(store: ModelStore, packs: Path) -> None:
    store.start()
    with store.using():
        with pytest.raises(PackInUse, match="load another first"):
            store.unload(str(packs / "one"))
        store.load(str(packs / "two"))
        with pytest.raises(PackInUse, match="A job works with"):
            store.unload(str(packs / "one"))
    store.unload(str(packs / "one"))


def test_the_budget_evicts_the_longest_unused(
    packs: Path, quick_loads: None, news: list[ModelNews], loaded_tiny_pack: LoadedPack
) -> None:
    shared = {**footprint(loaded_tiny_pack.texts), **footprint(loaded_tiny_pack.images)}
    own = sum(footprint(loaded_tiny_pack).values()) - sum(shared.values())
    budget = sum(shared.values()) + round(own * 2.5)
    store = ModelStore(str(packs / "one"), "cpu", budget, news.append, allowed=(packs.resolve(),))
    store.start()
    with store.using():
        store.load(str(packs / "two"))
        store.load(str(packs / "three"))
        assert ("two", "evicted") in states(news), "one is held, three is in use"
        assert ("one", "evicted") not in states(news)
    assert store.memory_bytes <= budget
    store.load(str(packs / "two"))
    assert states(news)[-1] == ("one", "evicted")
    store.close()


def test_a_job_that_fails_lets_its_pack_go_too(
    packs: Path, quick_loads: None, news: list[ModelNews]
) -> None:
    store = ModelStore(str(packs / "one"), "cpu", 1, news.append, allowed=(packs.resolve(),))
    store.start()
    with pytest.raises(Cancelled), store.using():
        store.load(str(packs / "two"))
        raise Cancelled("enough")
    assert states(news)[-1] == ("one", "evicted")
    store.close()


def test_a_store_that_is_closed_begins_no_load(packs: Path, news: list[ModelNews]) -> None:
    store = ModelStore(str(packs / "one"), told=news.append)
    store.close()
    store.start()
    with pytest.raises(EngineUnreachable):
        store.current()
    assert not store._thread.is_alive()
    assert news == []


def test_a_pack_larger_than_the_budget_works_and_says_so(
    packs: Path, quick_loads: None, news: list[ModelNews]
) -> None:
    store = ModelStore(str(packs / "one"), "cpu", 1, news.append)
    store.start()
    store.current()
    store.close()
    assert "above the memory budget" in news[-1].sentence


def test_short_memory_lets_go_of_idle_packs_first(
    store: ModelStore, packs: Path, news: list[ModelNews], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.start()
    store.current()
    store.load(str(packs / "two"))
    fails = iter([torch.OutOfMemoryError("CUDA out of memory."), None])
    fail_once(monkeypatch, lambda: next(fails))
    store.load(str(packs / "three"))
    assert states(news)[-4:] == [
        ("three", "loading"),
        ("one", "evicted"),
        ("three", "loaded"),
        ("three", "in_use"),
    ]
    fail_once(monkeypatch, MemoryError)
    with pytest.raises(OutOfMemory, match="smaller pack"):
        store.load(str(packs / "one"))
    assert store.current().manifest.name == "three"


def fail_once(monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException | None]) -> None:
    real = loading.load_pack

    def load(*given: object) -> LoadedPack:
        raised = error()
        if raised is not None:
            raise raised
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "load_pack", load)


@pytest.mark.parametrize("name", ["nowhere", "", "a" * 5000, "one\0two"])
def test_an_unknown_name_lists_what_there_is(store: ModelStore, name: str) -> None:
    with pytest.raises((PackMissing, PathForbidden)):
        store.load(name)


def test_clients_reach_no_pack_outside_the_allowed_folders(
    store: ModelStore, packs: Path, tiny_pack: Path
) -> None:
    (packs / "linked").symlink_to(tiny_pack)
    outside = (str(tiny_pack), str(packs / "linked"), str(packs / ".." / "two"), "packs/two")
    for name in outside:
        with pytest.raises((PathForbidden, PackMissing)):
            store.load(name)


@pytest.mark.parametrize("name", [MANIFEST, "codec.safetensors"])
def test_a_file_that_leads_outside_is_not_read(
    store: ModelStore, packs: Path, tiny_pack: Path, name: str
) -> None:
    (packs / "two" / name).unlink()
    (packs / "two" / name).symlink_to(tiny_pack / name)
    with pytest.raises(PathForbidden):
        store.load(str(packs / "two"))


def test_a_store_for_a_pack_that_is_there(loaded_tiny_pack: LoadedPack) -> None:
    store = ModelStore.holding(loaded_tiny_pack)
    store.start()
    with store.using() as pack:
        assert pack is loaded_tiny_pack
        assert store.on_cpu(pack) is pack
    store.close()
    store.close()


def test_what_a_client_asks_for_meanwhile_stays_in_use(
    store: ModelStore, packs: Path, news: list[ModelNews]
) -> None:
    store.load(str(packs / "two"))
    store._run()
    assert store.current().manifest.name == "two"
    assert ("one", "in_use") not in states(news)


def test_packs_share_what_is_no_packs_own(tiny_pack: Path, packs: Path, tmp_path: Path) -> None:
    store = ModelStore(str(tiny_pack), allowed=(packs.resolve(),))
    store.start()
    first = store.current()
    alone = store.memory_bytes
    row = store.load(str(packs / "two"))
    second = store.current()
    assert (second.texts, second.images, second.detector) == (
        first.texts,
        first.images,
        first.detector,
    )
    assert store.memory_bytes < alone + row.memory_bytes / 10
    del first
    store.unload(str(tiny_pack))
    assert second.texts.encode(["rain"]).shape == (1, 384)
    assert store.memory_bytes == row.memory_bytes
    store.close()


def test_the_pack_that_the_engine_began_with_may_come_back(
    tiny_pack: Path, packs: Path, quick_loads: None
) -> None:
    """It lies outside the allowed folders: whoever started the engine named it."""
    store = ModelStore(str(tiny_pack), allowed=(packs.resolve(),))
    store.start()
    store.current()
    store.load(str(packs / "two"))
    store.unload(str(tiny_pack))
    assert store.load(str(tiny_pack)).state == "in_use"
    store.close()


def test_two_who_ask_at_once_load_once(
    store: ModelStore, packs: Path, news: list[ModelNews]
) -> None:
    store.start()
    store.current()
    threads = [threading.Thread(target=store.load, args=(str(packs / "two"),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert states(news).count(("two", "loaded")) == 1
