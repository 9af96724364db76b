"""Threads that wait shall sleep, so that a busy DAW beside the engine does not starve it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from engine.threads import sleep_while_waiting


@pytest.fixture(autouse=True)
def no_torch_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")


def test_they_sleep_unless_somebody_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_nothing_is_promised_once_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setitem(sys.modules, "torch", sys)
    sleep_while_waiting()
    assert "OMP_WAIT_POLICY" not in os.environ


def test_the_engine_says_so_before_it_imports_torch() -> None:
    program = """
import os, sys
import engine.run
assert "torch" not in sys.modules
engine.run._import_torch()
assert "torch" in sys.modules
print(os.environ["OMP_WAIT_POLICY"])
"""
    kept = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=kept, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["PASSIVE"]
