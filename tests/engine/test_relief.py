"""When memory is short: smaller batch, then the CPU, then an error with its cure; each said."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.memory import is_out_of_memory
from engine.pipeline import Rendered, Renderer
from engine.relief import Relief, Way
from engine.scene.model import Scene, Source
from engine.settings import RenderSettings
from engine.stem_cache import StemCache
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import Cancelled, OutOfMemory

CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: not enough memory")
MPS = RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB).")
CUBLAS = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


@dataclass
class TwoDevices:
    """A store with one pack on a full device and its twin on the CPU."""

    here: Any
    twin: Any

    @contextmanager
    def using(self, on_step: StepCallback = no_steps) -> Iterator[Any]:
        yield self.here

    def on_cpu(self, pack: Any) -> Any:
        assert pack is self.here
        return self.twin


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def models(pack: Any) -> TwoDevices:
    return TwoDevices(replace(pack, device="cuda"), pack)


@pytest.fixture
def relief(models: TwoDevices, told: list[str]) -> Relief:
    return Relief(models.here, models, lambda kind, _sentence: told.append(kind))


@pytest.mark.parametrize("error", [CUDA, CPU, MPS, CUBLAS, MemoryError()])
def test_the_end_of_memory_is_recognised(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), ValueError("out of memory"), OSError(12, "no memory")]
)
def test_other_errors_are_not(relief: Relief, told: list[str], error: Exception) -> None:
    assert not is_out_of_memory(error)

    def work(_way: Way) -> None:
        raise error

    with pytest.raises(type(error)):
        relief.run(work, batched=True)
    assert told == []


@pytest.mark.parametrize(
    ("fits", "batched", "said"),
    [
        (("cuda", 2), True, []),
        (("cuda", 1), True, ["smaller_batch"]),
        (("cpu", 1), True, ["smaller_batch", "to_cpu"]),
        (("cpu", 2), False, ["to_cpu"]),
    ],
)
def test_ways_get_smaller_until_one_fits(
    relief: Relief, told: list[str], fits: tuple[str, int], batched: bool, said: list[str]
) -> None:
    def work(way: Way) -> tuple[str, int]:
        if (way.pack.device, way.batch) != fits:
            raise CUDA
        return fits

    assert relief.run(work, batched=batched) == fits
    assert told == said
    assert relief.run(lambda way: (way.pack.device, way.batch)) == fits, "the way stays"


@pytest.mark.parametrize("batched", [True, False])
def test_no_way_left_is_an_error_with_its_cure(relief: Relief, batched: bool) -> None:
    def work(_way: Way) -> None:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="close other programs") as caught:
        relief.run(work, batched=batched)
    assert caught.value.code == 505
    assert caught.value.__context__ is None, "a trace would keep what filled the memory"


def test_what_filled_the_memory_is_gone_at_the_next_try(relief: Relief) -> None:
    left: list[weakref.ref[torch.Tensor]] = []

    def work(_way: Way) -> bool:
        if left:
            return left[0]() is None
        large = torch.zeros(1000)
        left.append(weakref.ref(large))
        raise MemoryError

    assert relief.run(work)


SCENE = Scene(
    "scene1",
    "Alley",
    1,
    24_000,
    sources=(
        Source("s1", "text", "rain", 1, text="rain"),
        Source("s2", "text", "wind", 2, text="wind", start_sample=4_800),
    ),
)


@dataclass
class Rig:
    """A renderer over two devices."""

    renderer: Renderer
    cache: StemCache

    def render(self, mode: Any = "independent") -> Rendered:
        return self.renderer.render(SCENE, RenderSettings(mode, "preview"), lambda *_: no_steps)


@pytest.fixture
def rig(models: TwoDevices, tmp_path: Path, told: list[str]) -> Rig:
    (tmp_path / "stems").mkdir()
    cache = StemCache(tmp_path)
    return Rig(Renderer(models, tmp_path, cache, lambda kind, _sentence: told.append(kind)), cache)


def failing(real: Callable[..., Any], when: Callable[[dict[str, Any]], bool]) -> Callable[..., Any]:
    """Return ``real``, out of memory ``when`` its arguments say so."""

    def work(*given: Any, **named: Any) -> Any:
        if when({"batch": given[5] if len(given) > 5 else 0, **named}):
            raise CUDA
        return real(*given, **named)

    return work


def test_a_render_in_one_batch_at_a_time_is_another_stem(
    rig: Rig, told: list[str], pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rig.render()
    real = pack.decoder.decode
    monkeypatch.setattr(pack.decoder, "decode", failing(real, lambda given: given["batch"] == 2))
    smaller = rig.render()
    assert told == ["smaller_batch"]
    assert smaller.device == "cuda"
    keys = [{stem.key for stem in (*one.stems, one.mix)} for one in (whole, smaller)]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("part", ["perceive", "remix", "decode"])
def test_each_part_of_a_render_goes_on_on_the_cpu(
    rig: Rig, models: TwoDevices, told: list[str], part: str
) -> None:
    alone = Renderer(TwoDevices(models.twin, models.twin), rig.renderer._session, rig.cache).render(
        SCENE, RenderSettings(quality="preview"), lambda *_: no_steps
    )
    break_on_device(models, part)
    rendered = rig.render()
    assert told[-1] == "to_cpu"
    assert rendered.device == "cpu"
    assert rendered.pack is models.twin
    for one, other in zip(rendered.stems, alone.stems, strict=True):
        assert np.array_equal(one.wave, other.wave)


def break_on_device(models: TwoDevices, part: str) -> None:
    """Let one part of the pack on the full device fail, its twin being whole."""

    class Full:
        def __init__(self, real: Any) -> None:
            self.real = real

        def __getattr__(self, name: str) -> Any:
            if name in ("encode", "decode", "remixer", "reconstructor"):
                raise CUDA
            return getattr(self.real, name)

    field = {"perceive": "texts", "remix": "ssv2a", "decode": "decoder"}[part]
    models.here = replace(models.here, **{field: Full(getattr(models.here, field))})


def test_a_full_memory_leaves_nothing_behind(
    rig: Rig, pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack.decoder, "decode", failing(pack.decoder.decode, lambda _given: True))
    with pytest.raises(OutOfMemory):
        rig.render("consistent")
    assert list((tmp_path / "stems").iterdir()) == []


def test_a_cancel_is_no_shortage(relief: Relief) -> None:
    def work(_way: Way) -> None:
        raise Cancelled("out of memory of the user")

    with pytest.raises(Cancelled):
        relief.run(work, batched=True)
