"""The warm packs of an engine: loaded once, shared by all jobs, let go when memory is short.

Importing this loads no torch: an engine answers before its first pack is there. A job holds a pack
while it works with it (`ModelStore.using`); what nobody holds may be evicted. The first pack is
loaded and warmed up on a thread that ends with it: OpenMP keeps a team of threads for each thread
that computes, and an idle team beside the worker's made its renders take twice as long (0.9 s for
0.4 s, measured on 2 cores).
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from engine.memory import free_caches, is_out_of_memory
from engine.models.news import ModelNews, ModelState, PackRow, TellNews, no_news
from engine.models.options import Options, options_for
from engine.models.pack import find_pack
from engine.models.rows import pack_rows, warm_row
from engine.models.shelf import PackKey, Shelf, WarmPack
from engine.models.whereabouts import find_allowed_pack
from engine.steps import StepCallback, no_steps
from engine.threads import sleep_while_waiting
from osc_bridge.errors import Cancelled, EngineUnreachable, OutOfMemory, PackInUse

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

WAITING_STEP_S = 0.1
"""How often a job that waits for a pack takes a step, where it can be cancelled."""


@dataclass(frozen=True)
class LoadTimes:
    """Seconds that the first pack took: from files to models, and for a first sound."""

    load_s: float
    warm_up_s: float


class ModelStore:
    """The packs of one device; one of them is the current one. Methods may be called anywhere.

    ``pack`` is what the person who starts the engine named (a name or any folder); what clients
    name later must be installed or lie inside ``allowed`` (absolute folders without links).
    ``budget_bytes`` (0: none) bounds the memory of all packs' tensors.
    """

    def __init__(
        self,
        pack: str,
        device: str = "cpu",
        budget_bytes: int = 0,
        told: TellNews = no_news,
        *,
        allowed: Sequence[Path] = (),
        options: Options | None = None,
    ) -> None:
        self.device = device
        self.budget_bytes = budget_bytes
        self.options = options or options_for(device)
        self.times: LoadTimes | None = None
        self._first = pack
        self._told = told
        self._allowed = tuple(allowed)
        self._shelf = Shelf()
        self._current: WarmPack | None = None
        self._error: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._loading = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="wildtrack-models", daemon=True)

    @classmethod
    def holding(cls, pack: LoadedPack, told: TellNews = no_news) -> Self:
        """Return a store that begins with a pack that is there already; nothing is to be loaded."""
        store = cls(pack.manifest.name, pack.device, told=told)
        key = PackKey(pack.manifest.name, pack.device)
        store._current = WarmPack(key, pack.manifest.name, pack)
        store._shelf.put(store._current)
        return store

    def start(self) -> None:
        """Begin to load and warm the first pack, on a thread of its own; not once it is closed."""
        with self._changed:
            if self._current is None and not self._closed:
                self._thread.start()

    def close(self) -> None:
        """Give up what is being loaded and let go of every pack; done twice it does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        with self._changed:
            self._current, self._shelf = None, Shelf()

    @property
    def is_ready(self) -> bool:
        """Whether a pack is there to render with."""
        with self._changed:
            return self._current is not None

    @property
    def packs_loaded(self) -> int:
        """How many packs are warm, counted once for each device."""
        with self._changed:
            return len(self._shelf)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the tensors of all warm packs."""
        with self._changed:
            return self._shelf.memory_bytes

    def current(self, on_step: StepCallback = no_steps) -> LoadedPack:
        """Return the pack to render with, once it is there; raise what loading it raised.

        ``on_step`` is called while it waits, and may raise Cancelled. Whoever computes with the
        pack holds it by `using` instead.
        """
        with self._held(on_step) as warm:
            return warm.pack

    @contextmanager
    def using(self, on_step: StepCallback = no_steps) -> Iterator[LoadedPack]:
        """Hold the current pack for a job: neither unloaded nor evicted inside the block."""
        try:
            with self._held(on_step) as warm:
                yield warm.pack
        finally:
            self._evict()

    def load(self, name: str, on_step: StepCallback = no_steps) -> PackRow:
        """Load a pack unless it is warm, and render with it from now on.

        Called on the thread that computes. PackMissing, PathForbidden, PackCorrupt, BadCheckpoint,
        OutOfMemory, or what ``on_step`` raises: the pack in use stays in use then.
        """
        warm, _ = self._warm(PackKey(self._place(name), self.device), name, on_step)
        self._make_current(warm)
        return warm_row(warm, is_current=True)

    def unload(self, name: str) -> None:
        """Let go of a pack's memory; PackInUse for the current one or one that a job holds."""
        place = self._place(name)
        with self._changed:
            current = self._current
            if current is not None and current.key.place == place:
                raise PackInUse(
                    f"The pack {name[:200]!r} is the one in use; load another first (model/load), "
                    "then unload this."
                )
            if self._shelf.is_held(place):
                raise PackInUse(
                    f"A job works with the pack {name[:200]!r}; wait for it to end or cancel it, "
                    "then ask again."
                )
            gone = self._shelf.take(place)
        self._let_go(gone, "unloaded", "Unloaded")

    def on_cpu(self, pack: LoadedPack) -> LoadedPack:
        """Return the same pack on the CPU, loaded if need be; for relief of a full device.

        It stays while a job holds the pack itself (`using`).
        """
        if pack.device == "cpu":
            return pack
        with self._changed:
            here = next((warm for warm in self._shelf.packs if warm.pack is pack), None)
        if here is None:
            raise EngineUnreachable("The engine is closing and has no pack; restart it.")
        return self._warm(PackKey(here.key.place, "cpu"), here.name, no_steps)[0].pack

    def rows(self) -> list[PackRow]:
        """Return the loaded packs and the other installed ones, by name."""
        with self._changed:
            warm, current = self._shelf.packs, self._current
        return pack_rows(warm, current)

    def _run(self) -> None:
        """Load the first pack; what goes wrong waits for whoever asks for it."""
        try:
            key = PackKey(self._place(self._first), self.device)
            warm, self.times = self._warm(key, self._first, self._give_up_when_closed)
            self._make_current(warm, unless_there_is_one=True)
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _give_up_when_closed(self, _step: int, _of: int) -> None:
        if self._closed:
            raise Cancelled("The engine ends; loading the pack was given up.")

    def _warm(
        self, key: PackKey, name: str, on_step: StepCallback
    ) -> tuple[WarmPack, LoadTimes | None]:
        """Return the warm pack of that key; this thread loads it if nobody has, and says how long
        that took."""
        while not self._loading.acquire(timeout=WAITING_STEP_S):
            on_step(0, 1)
        try:
            with self._changed:
                found = self._shelf.get(key)
            return (found, None) if found else self._loaded(key, name, on_step)
        finally:
            self._loading.release()

    def _loaded(self, key: PackKey, name: str, on_step: StepCallback) -> tuple[WarmPack, LoadTimes]:
        device = key.device
        self._tell(name, "loading", device, f"Loading the pack {name} on {device}.")
        try:
            pack, times = self._relieved(key, on_step)
        except BaseException as error:
            self._tell(name, "failed", device, f"The pack {name} was not loaded: {error}")
            raise
        from engine.models.footprint import footprint  # noqa: PLC0415

        warm = WarmPack(key, name, pack, footprint(pack))
        with self._changed:
            if self._closed:
                raise Cancelled("The engine ends; loading the pack was given up.")
            self._shelf.put(warm)
        megabytes = warm.memory_bytes / 1e6
        self._tell(name, "loaded", device, f"Loaded {name} on {device}: {megabytes:.0f} MB.")
        return warm, times

    def _relieved(self, key: PackKey, on_step: StepCallback) -> tuple[LoadedPack, LoadTimes]:
        """Load; when memory is short, let go of every pack that nobody holds and try once more."""
        try:
            return self._from_files(key, on_step)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._evict_idle(0)
        try:
            return self._from_files(key, on_step)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                f"The memory of {key.device} does not hold this pack; close other programs, choose "
                "a smaller pack, or start with --device cpu."
            ) from error

    def _from_files(self, key: PackKey, on_step: StepCallback) -> tuple[LoadedPack, LoadTimes]:
        begin_s = time.perf_counter()
        sleep_while_waiting()
        from engine.models.loading import load_pack  # noqa: PLC0415
        from engine.models.warming import warm_up  # noqa: PLC0415

        options = self.options if key.device == self.device else options_for(key.device)
        with self._changed:
            there = (warm.pack for warm in self._shelf.packs if warm.key.device == key.device)
            beside = next(there, None)
        pack = load_pack(Path(key.place), key.device, options, on_step, beside)
        load_s = time.perf_counter() - begin_s
        return pack, LoadTimes(load_s, warm_up(pack, on_step))

    def _make_current(self, warm: WarmPack, *, unless_there_is_one: bool = False) -> None:
        with self._changed:
            if unless_there_is_one and self._current is not None:
                return
            self._current, self._error = warm, None
            self._shelf.put(warm)
            self._changed.notify_all()
        sentence = f"Rendering with {warm.name} on {warm.key.device} from now on."
        if 0 < self.budget_bytes < warm.memory_bytes:
            sentence += f" It alone is above the memory budget of {self.budget_bytes / 1e6:.0f} MB."
        self._tell(warm.name, "in_use", warm.key.device, sentence)
        self._evict()

    @contextmanager
    def _held(self, on_step: StepCallback) -> Iterator[WarmPack]:
        while (warm := self._take_hold()) is None:
            on_step(0, 1)
        try:
            yield warm
        finally:
            with self._changed:
                warm.holders -= 1

    def _take_hold(self) -> WarmPack | None:
        """Return the current pack, held; None after a while without one."""
        with self._changed:
            if self._current is None and self._error is None and not self._closed:
                self._changed.wait(WAITING_STEP_S)
            if self._closed:
                raise EngineUnreachable("The engine is closing and has no pack; restart it.")
            if self._current is None and self._error is not None:
                raise self._error.with_traceback(None)
            if self._current is not None:
                self._current.holders += 1
                self._shelf.get(self._current.key)
            return self._current

    def _evict(self) -> None:
        if self.budget_bytes:
            self._evict_idle(self.budget_bytes)

    def _evict_idle(self, budget_bytes: int) -> None:
        with self._changed:
            keep = None if self._current is None else self._current.key
            gone = self._shelf.take_idle(budget_bytes, keep)
        self._let_go(gone, "evicted", "Evicted to keep to the memory budget:")

    def _let_go(self, gone: list[WarmPack], state: ModelState, what: str) -> None:
        told = [(w.name, w.key.device, w.memory_bytes) for w in gone]
        gone.clear()
        if told:
            gc.collect()
            free_caches()
        for name, device, size_bytes in told:
            sentence = f"{what} {name} on {device}, {size_bytes / 1e6:.0f} MB."
            self._tell(name, state, device, sentence)

    def _place(self, name: str) -> str:
        with self._changed:
            for warm in self._shelf.packs:
                if warm.name == name:
                    return warm.key.place
        free = name == self._first
        return str((find_pack(name) if free else find_allowed_pack(name, self._allowed)).resolve())

    def _tell(self, pack: str, state: ModelState, device: str, sentence: str) -> None:
        self._told(ModelNews(pack, state, device, sentence))
