"""A render that is cancelled, at whichever of its steps, was never there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.jobs.job import Reporter
from osc_bridge.errors import Cancelled

FOLDERS = ("stems", "takes", "trash", "jobs")


class Steps:
    """Counts the moments at which a job looks whether it goes on, and cancels it at one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = 0
        self.cancel_at = 0
        look = Reporter.check

        def counted(reporter: Reporter) -> None:
            self.seen += 1
            if self.seen == self.cancel_at:
                reporter._cancelled.set()
            look(reporter)

        monkeypatch.setattr(Reporter, "check", counted)

    def until(self, step: int) -> None:
        """Cancel the next job at this step."""
        self.seen, self.cancel_at = 0, step


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def everything(engine: Any) -> list[dict[str, Any]]:
    return [engine.files(folder) for folder in FOLDERS]


@pytest.mark.parametrize("mode", ["independent", "consistent"])
def test_a_render_cancelled_at_any_step_leaves_no_file(
    tcp_engine: Any, steps: Steps, mode: str
) -> None:
    client = tcp_engine.client
    steps.until(0)
    client.render(tcp_engine.scene("rain", "wind", seed=1), stems=mode)
    count = steps.seen
    scene = tcp_engine.scene("rain", "wind", seed=2)
    before = everything(tcp_engine)
    for step in sorted({1, 2, *range(3, count, max(1, count // 8)), count - 1, count}):
        steps.until(step)
        with pytest.raises(Cancelled):
            client.render(scene, stems=mode)
        assert everything(tcp_engine) == before, f"cancelled at step {step} of {count}"
    steps.until(0)
    client.render(scene, stems=mode)
    assert steps.seen == count, "the scene can be rendered as ever"
    assert len(tcp_engine.files("takes")) == 2


def test_a_cancelled_stem_for_listening_leaves_no_file(tcp_engine: Any, steps: Steps) -> None:
    scene = tcp_engine.scene("rain")
    for step in range(1, 1_000):
        steps.until(step)
        try:
            tcp_engine.client.render_source(scene, "s1")
        except Cancelled:
            assert everything(tcp_engine) == [{}] * len(FOLDERS), f"cancelled at step {step}"
        else:
            break
    assert step > 5
    assert len(tcp_engine.files()) == 1


def test_a_render_that_waits_leaves_no_file_either(tcp_engine: Any) -> None:
    decoder, client = tcp_engine.pack.decoder, tcp_engine.client
    scene = tcp_engine.scene("rain")
    decoder.go_on.clear()
    running = threading.Thread(target=client.render, args=(scene,))
    running.start()
    try:
        assert decoder.entered.wait(20)
        with pytest.raises(Cancelled):
            client.render(scene, on_progress=cancels(client))
        assert len(tcp_engine.files("jobs")) == 1, "only of the one that runs"
    finally:
        decoder.go_on.set()
        running.join()
    assert tcp_engine.files("jobs") == {}
    assert len(tcp_engine.files("takes")) == 1


def test_a_sound_that_is_read_can_be_cancelled(
    tcp_engine: Any, steps: Steps, outside: Path
) -> None:
    long = outside / "long.wav"
    soundfile.write(long, np.zeros(10 * 65_536, dtype=np.int16), 48_000)
    scene = tcp_engine.scene("rain")
    for step in (2, 5, 9):
        steps.until(step)
        with pytest.raises(Cancelled):
            tcp_engine.client.add_audio(scene, str(long))
        assert steps.seen == step, "it is read in blocks, and no further than that"
    assert tcp_engine.files("media") == {}
    assert len(tcp_engine.client.sources(scene)) == 1


def cancels(client: Any) -> Any:
    """A callback for progress that cancels the job it belongs to, at the first report."""
    asked: list[int] = []

    def cancel(progress: Any) -> None:
        if not asked:
            asked.append(progress.request_id)
            client.cancel(progress.request_id)

    return cancel
