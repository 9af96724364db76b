"""The main path end to end, over real sockets, with a pack of toys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from osc_bridge.errors import Cancelled, NothingToRender
from osc_bridge.schema import Render


def take_of(path: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(path).read_text())
    return document


def test_frames_words_and_sounds_become_a_take(engine: Any, picture: Path, clip: Path) -> None:
    client = engine.client
    scene = engine.scene("rain on a tin roof")
    assert client.add_image(scene, picture) == ("s2", "s3")
    assert client.add_image(scene, picture, "whole") == ("s4",)
    assert client.add_region(scene, picture, (1, 2, 20, 30), "box") == "s5"
    assert client.add_audio(scene, clip) == "s6"
    client.set(scene, "s1", gain_db=-6, pan=0.5, mute=True, chain="far", cat_id="RAINMet")

    made = client.render(scene, "independent", "final")

    take = take_of(made.path)
    assert take["take"] == made.take == "t0001"
    assert [s["kind"] for s in take["sources"]] == [
        "text", "region", "region", "image", "region", "audio",
    ]  # fmt: skip
    assert take["sources"][0]["gain_db"] == -6.0
    assert take["sources"][0]["mute"] is True
    assert take["sources"][4]["box"] == [1, 2, 20, 30]
    for row in (take["mix"], *take["sources"]):
        wave, rate = soundfile.read(engine.session / row["file"], dtype="float32")
        assert (rate, wave.shape) == (48_000, (24_000,))
    for source in take["sources"][1:]:
        assert (engine.session / source["media"]).is_file()
    assert (engine.session / take["frame"]).is_file()
    assert [row.take for row in client.takes()] == ["t0001"]
    assert [row.label for row in client.sources(scene)][:3] == ["rain on a tin roof", "dog", "car"]


def test_a_frame_where_nothing_is_found_is_a_source_itself(tcp_engine: Any, picture: Path) -> None:
    tcp_engine.pack.detector.regions = []
    scene = tcp_engine.scene()
    tcp_engine.client.add_image(scene, picture)
    (row,) = tcp_engine.client.sources(scene)
    assert (row.kind, row.label) == ("image", "frame")


@pytest.mark.parametrize("mode", ["independent", "consistent"])
def test_same_scene_and_seed_give_the_same_bytes(tcp_engine: Any, mode: str) -> None:
    first = tcp_engine.client.render(tcp_engine.scene("rain", "dog"), mode)
    before = tcp_engine.files()
    for path in before:
        Path(path).unlink()
    again = tcp_engine.client.render(tcp_engine.scene("rain", "dog"), mode)
    after = tcp_engine.files()
    assert {p: data for p, (_, data) in before.items()} == {p: d for p, (_, d) in after.items()}
    assert take_of(first.path)["mix"] == take_of(again.path)["mix"]


def test_changing_one_source_leaves_the_other_stems_untouched(tcp_engine: Any) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene("rain", "dog", "wind")
    first = take_of(client.render(scene).path)
    before = tcp_engine.files()
    tcp_engine.pack.decoder.decoded.clear()
    client.set(scene, "s2", seed=77)
    second = take_of(client.render(scene).path)

    assert tcp_engine.pack.decoder.decoded == [77], "the mix does not depend on a source's seed"
    after = tcp_engine.files()
    assert {path: after[path] for path in before} == before
    files = [[s["file"] for s in take["sources"]] for take in (first, second)]
    assert [a == b for a, b in zip(*files, strict=True)] == [True, False, True]


def test_weights_change_the_mix_and_no_stem(tcp_engine: Any) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene("rain", "dog")
    first = take_of(client.render(scene).path)
    client.set(scene, "s2", weight=3.0)
    second = take_of(client.render(scene).path)
    assert first["mix"] != second["mix"]
    assert [s["file"] for s in first["sources"]] == [s["file"] for s in second["sources"]]


def test_consistent_stems_add_up_to_the_mix(tcp_engine: Any) -> None:
    client = tcp_engine.client
    scene = tcp_engine.scene("rain", "dog", "wind", "muted")
    client.set(scene, "s2", start_sample=6_000)
    client.set(scene, "s3", weight=0.5)
    client.set(scene, "s4", mute=True)
    take = take_of(client.render(scene, "consistent").path)
    total = np.zeros(24_000)
    for source in take["sources"]:
        wave, _ = soundfile.read(tcp_engine.session / source["file"], dtype="float64")
        if not source["mute"]:
            total[source["start_sample"] :][: len(wave)] += wave
    mix, _ = soundfile.read(tcp_engine.session / take["mix"]["file"], dtype="float64")
    assert np.abs(mix).max() > 0.1
    assert np.abs(total - mix).max() < 1e-6


def test_muted_sources_alone_make_a_silent_mix(tcp_engine: Any) -> None:
    scene = tcp_engine.scene("rain")
    tcp_engine.client.set(scene, "s1", mute=True)
    take = take_of(tcp_engine.client.render(scene, "consistent").path)
    mix, _ = soundfile.read(tcp_engine.session / take["mix"]["file"])
    stem, _ = soundfile.read(tcp_engine.session / take["sources"][0]["file"])
    assert not mix.any()
    assert stem.any()


def test_a_ping_is_answered_while_a_render_is_held(engine: Any) -> None:
    decoder = engine.pack.decoder
    decoder.go_on.clear()
    render = engine.client.start(Render(engine.scene("rain")))
    assert decoder.entered.wait(10)
    assert engine.client.ping().uptime_s >= 0
    assert engine.client.status().jobs_running == 1
    decoder.go_on.set()
    assert render.result().take == "t0001"


def test_cancel_ends_within_a_step_and_leaves_no_file(engine: Any) -> None:
    decoder = engine.pack.decoder
    decoder.go_on.clear()
    scene = engine.scene("rain", "dog")
    running = engine.client.start(Render(scene))
    assert decoder.entered.wait(10)
    waiting = engine.client.start(Render(scene))
    for job in (waiting, running):
        engine.client.cancel(job.request_id)
    decoder.go_on.set()
    for job in (waiting, running):
        with pytest.raises(Cancelled):
            job.result()
    assert len(decoder.decoded) == 1
    assert engine.files() == engine.files("takes") == {}
    assert engine.client.render(scene).take == "t0001"


def test_previews_overtake_finals(tcp_engine: Any) -> None:
    decoder = tcp_engine.pack.decoder
    decoder.go_on.clear()
    client = tcp_engine.client
    scene = tcp_engine.scene("rain")
    first = client.start(Render(scene))
    assert decoder.entered.wait(10)
    final = client.start(Render(scene, "consistent", "final"))
    preview = client.start(Render(scene, "independent", "preview"))
    assert client.status().jobs_waiting == 2, "requests are handled in order"
    decoder.go_on.set()
    assert [job.result().take for job in (first, preview, final)] == ["t0001", "t0002", "t0003"]


def test_progress_goes_up_to_the_end(tcp_engine: Any) -> None:
    told: list[float] = []
    scene = tcp_engine.scene("rain", "dog")
    tcp_engine.client.render(scene, on_progress=lambda p: told.append(p.fraction))
    assert told == sorted(told)
    assert told[-1] > 0.9


def test_a_render_is_of_the_scene_as_it_was_asked_for(tcp_engine: Any) -> None:
    decoder = tcp_engine.pack.decoder
    decoder.go_on.clear()
    scene = tcp_engine.scene("rain")
    job = tcp_engine.client.start(Render(scene))
    assert decoder.entered.wait(10)
    tcp_engine.client.set(scene, "s1", gain_db=-12)
    decoder.go_on.set()
    assert take_of(job.result().path)["sources"][0]["gain_db"] == 0.0


def test_an_empty_scene_says_so(tcp_engine: Any) -> None:
    with pytest.raises(NothingToRender, match="1 to 64"):
        tcp_engine.client.render(tcp_engine.scene())


def test_a_damaged_stem_is_rendered_again(tcp_engine: Any) -> None:
    scene = tcp_engine.scene("rain")
    take = take_of(tcp_engine.client.render(scene).path)
    stem = tcp_engine.session / take["sources"][0]["file"]
    whole = stem.read_bytes()
    stem.write_bytes(whole[:1000])
    tcp_engine.client.render(scene)
    assert stem.read_bytes() == whole


def test_quit_sets_the_engine_free(engine: Any) -> None:
    engine.client.quit()
    assert engine.stop.is_set()
