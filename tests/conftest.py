"""Fixtures for every test: a tiny pack of random weights, made of the starter's own classes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_works() -> Iterator[None]:
    """Hear SIGINT also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Engines of the tests announce themselves here and not among those of the user."""
    base = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(base))
        yield base / "wildtrack"


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack folder that loads like the starter and renders in a tenth of a second."""
    from engine.models.saving import save_starter
    from engine.models.sizes import random_parts, tiny_sizes

    folder = tmp_path_factory.mktemp("packs") / "tiny"
    save_starter(folder, random_parts(tiny_sizes(), seed=1), name="tiny", version="0")
    return folder


@pytest.fixture(scope="session")
def loaded_tiny_pack(tiny_pack: Path) -> LoadedPack:
    """The tiny pack, warm on the CPU; read-only, so one serves all tests."""
    from engine.models.loading import load_pack

    return load_pack(tiny_pack)
