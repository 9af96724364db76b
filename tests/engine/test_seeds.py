"""Same scene, pack and device: the same bytes, whatever else the engine does or has done."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from engine.audio import stem_bytes
from engine.media import MediaStore, Original
from engine.models.store import ModelStore
from engine.pipeline import Rendered, Renderer
from engine.scene.codec import scene_to_json
from engine.scene.model import Scene, Source
from engine.settings import RenderSettings
from engine.stem_cache import StemCache
from engine.steps import StepCallback, no_steps

SAMPLES = 19_200
PREVIEW = RenderSettings(quality="preview")
CONSISTENT = RenderSettings("consistent", "preview")
WORDS = ("rain on a tin roof", "a dog barks", "steps on gravel", "wind", "a door", "bells", "surf")


def no_phases(sentence: str, begin: float, end: float) -> StepCallback:
    return no_steps


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session's folder with a picture and a clip in it."""
    for name in ("media", "stems"):
        (tmp_path / "session" / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(tmp_path / "frame.png")
    soundfile.write(tmp_path / "clip.wav", rng.standard_normal(24_000) * 0.1, 48_000)
    return tmp_path / "session"


@pytest.fixture
def scene(folder: Path) -> Scene:
    """Four sources of every kind under a frame, one of them shorter than the scene."""
    media = MediaStore(folder)
    with media.keeping(Original.at(folder.parent / "frame.png")) as frame:
        pass
    with media.keeping(Original.at(folder.parent / "clip.wav")) as clip:
        pass
    sources = (
        Source("s1", "text", "rain", 11, text=WORDS[0]),
        Source("s2", "region", "thing", 12, media=frame, box=(4, 4, 30, 30)),
        Source("s3", "audio", "clip", 13, media=clip, weight=0.5, start_sample=2_000),
        Source("s4", "text", "dog", 14, text=WORDS[1], duration_samples=15_000),
    )
    return Scene("scene1", "Alley", 7, SAMPLES, frame=frame, sources=sources)


def of_words(*words: str) -> Scene:
    sources = tuple(
        Source(f"s{number}", "text", text, 100 + number, text=text)
        for number, text in enumerate(words, start=1)
    )
    return Scene("scene1", "Words", 1, SAMPLES, sources=sources, next_source=len(sources) + 1)


class Rig:
    """A renderer whose stems are kept nowhere, unless they are asked to be."""

    def __init__(self, pack: Any, folder: Path) -> None:
        self.cache = StemCache(folder)
        self.renderer = Renderer(ModelStore.holding(pack), folder, self.cache)

    def render(self, scene: Scene, settings: RenderSettings = PREVIEW) -> Rendered:
        return self.renderer.render(scene, settings, no_phases)

    def stems(self, scene: Scene, settings: RenderSettings = PREVIEW) -> dict[str, bytes]:
        """The bytes of each source's stem, and of the mix."""
        rendered = self.render(scene, settings)
        ids = (source.id for source in scene.sources)
        named = zip((*ids, "mix"), (*rendered.stems, rendered.mix), strict=True)
        return {name: stem_bytes(stem.wave) for name, stem in named}

    def one(self, scene: Scene, source_id: str) -> bytes:
        return stem_bytes(self.renderer.render_source(scene, source_id, "preview", no_phases).wave)


@pytest.fixture
def rig(loaded_tiny_pack: Any, folder: Path) -> Rig:
    return Rig(loaded_tiny_pack, folder)


def test_a_source_sounds_alone_as_it_does_among_others(rig: Rig, scene: Scene) -> None:
    together = rig.stems(scene)
    assert len(set(together.values())) == 5
    assert {s.id: rig.one(scene, s.id) for s in scene.sources} == {
        name: data for name, data in together.items() if name != "mix"
    }


@pytest.mark.parametrize("settings", [PREVIEW, CONSISTENT])
def test_the_order_of_the_sources_does_not_matter(
    rig: Rig, scene: Scene, settings: RenderSettings
) -> None:
    other = replace(scene, sources=tuple(reversed(scene.sources)))
    assert rig.stems(other, settings) == rig.stems(scene, settings)


def test_a_neighbour_changes_the_mix_and_no_stem(rig: Rig, scene: Scene) -> None:
    before = rig.stems(scene)
    first, *rest = scene.sources
    louder = replace(scene, sources=(replace(first, text="thunder", seed=99), *rest))
    after = rig.stems(louder)
    assert {name for name in before if before[name] != after[name]} == {"s1", "mix"}


def test_jobs_before_leave_no_trace(
    rig: Rig, scene: Scene, loaded_tiny_pack: Any, folder: Path
) -> None:
    fresh = rig.stems(scene)
    busy = Rig(loaded_tiny_pack, folder)
    busy.stems(of_words(*WORDS[:3]), CONSISTENT)
    busy.one(of_words("thunder"), "s1")
    assert busy.stems(scene) == fresh


def test_a_new_process_gives_the_same_bytes(
    rig: Rig, scene: Scene, tiny_pack: Path, folder: Path
) -> None:
    """The other process loads the pack by itself, on another thread, and renders words."""
    words = of_words(*WORDS[:2])
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER, str(tiny_pack), str(folder), scene_to_json(words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    stems = rig.stems(words)
    assert json.loads(done.stdout) == [sha256(data).hexdigest() for data in stems.values()]


ANOTHER = """
import hashlib, json, sys
from pathlib import Path
from engine.audio import stem_bytes
from engine.models.store import ModelStore
from engine.pipeline import Renderer
from engine.scene.codec import scene_from_json
from engine.settings import RenderSettings
from engine.stem_cache import StemCache
from engine.steps import no_steps
scene = scene_from_json(sys.argv[3])
store = ModelStore(sys.argv[1])
store.start()
renderer = Renderer(store, Path(sys.argv[2]), StemCache(Path(sys.argv[2])))
rendered = renderer.render(scene, RenderSettings(quality="preview"), lambda *_: no_steps)
store.close()
stems = (*rendered.stems, rendered.mix)
print(json.dumps([hashlib.sha256(stem_bytes(s.wave)).hexdigest() for s in stems]))
"""


@pytest.mark.parametrize("other", [{"compiled": True}, {"precision": "bf16"}, {"device": "mps"}])
def test_how_a_pack_computes_is_part_of_what_a_stem_is(
    rig: Rig, loaded_tiny_pack: Any, folder: Path, other: dict[str, Any]
) -> None:
    scene = of_words(WORDS[0])
    changed = Rig(replace(loaded_tiny_pack, **other), folder)
    keys = [{s.key for s in (*r.stems, r.mix)} for r in (rig.render(scene), changed.render(scene))]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("settings", [PREVIEW, CONSISTENT])
def test_what_was_rendered_is_not_rendered_again(
    rig: Rig, scene: Scene, settings: RenderSettings
) -> None:
    first = rig.render(scene, settings)
    with rig.cache.keeping([*first.stems, first.mix, *first.decoded]):
        pass
    sentences: list[str] = []

    def phases(sentence: str, begin: float, end: float) -> StepCallback:
        sentences.append(sentence)
        return no_steps

    again = rig.renderer.render(scene, settings, phases)
    assert [stem.key for stem in again.stems] == [stem.key for stem in first.stems]
    assert not [said for said in sentences if said.startswith("Rendering")]


def test_one_of_eight_changed_renders_one_stem_and_the_mix(rig: Rig, folder: Path) -> None:
    scene = of_words(*WORDS, "an engine")
    first = rig.render(scene)
    with rig.cache.keeping([*first.stems, first.mix]):
        pass
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.glob("stems/*")}
    changed = tuple(
        replace(source, text="thunder") if source.id == "s3" else source for source in scene.sources
    )
    sentences: list[str] = []

    def phases(sentence: str, begin: float, end: float) -> StepCallback:
        sentences.append(sentence)
        return no_steps

    second = rig.renderer.render(replace(scene, sources=changed), PREVIEW, phases)
    assert [said for said in sentences if said.startswith("Rendering")] == [
        f"Rendering {WORDS[2]}.",
        "Rendering the mix.",
    ]
    with rig.cache.keeping([*second.stems, second.mix]) as kept:
        assert len({file.sha256 for file in kept.values()}) == 9
    after = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.glob("stems/*")}
    assert len(after) == 11
    assert {name: after[name] for name in before} == before
    kept_keys = [s.key for s, t in zip(first.stems, second.stems, strict=True) if s.key == t.key]
    assert len(kept_keys) == 7
