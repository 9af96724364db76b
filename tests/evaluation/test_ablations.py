"""Ablations of Tables 4 and 5: trained alike, kept, resumed, and measured on known cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.cmss import build_ssv2a
from engine.cmss.translator import Translator
from engine.evaluation import ablation_measures as measures
from engine.evaluation import ablation_sources, ablations
from engine.evaluation.ablations import ablate, merged
from engine.evaluation.paper_tables import CONDITIONS, MASK
from engine.models.sizes import tiny_sizes
from engine.perception.audio import AudioNet
from engine.perception.mel import MEL
from engine.steps import StepCallback, no_steps
from engine.training.ablations import AblationData, Budget, Sounds, Together, part_of, scenes_of
from osc_bridge.errors import BadCorpus, Cancelled

BUDGET = Budget(fold_steps=2, remix_steps=2, pairs=8, scenes=4, seeds=(1,))
CLASSES = ("dog", "rain", "bell")


def unit(rows: int, dim: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def sounds(count: int, seed: int) -> Sounds:
    """Sounds with words each, and every second with a picture."""
    sizes = tiny_sizes().ssv2a
    return Sounds(
        claps=unit(count, sizes.clap_dim, seed),
        clips=unit(2 * count, sizes.clip_dim, seed + 1),
        read=[[row] for row in range(count)],
        seen=[[count + row] if row % 2 else [] for row in range(count)],
        kinds=[CLASSES[row % 3] for row in range(count)],
        weights=torch.ones(count, dtype=torch.float64),
    )


def together(seed: int) -> Together:
    rows = torch.tensor([[0, 1, -1], [2, 3, 4], [5, 6, -1], [7, 8, 9], [1, 3, -1], [2, 7, -1]])
    return Together(rows, unit(len(rows), tiny_sizes().ssv2a.clap_dim, seed))


@pytest.fixture
def data() -> AblationData:
    return AblationData(tiny_sizes().ssv2a, sounds(18, 1), sounds(14, 3), together(5), together(6))


def silent(_: str) -> StepCallback:
    return no_steps


def test_the_rows_are_those_of_the_paper(data: AblationData, tmp_path: Path) -> None:
    found = ablate(data, BUDGET, tmp_path, silent)
    assert list(found["table_4"]) == list(CONDITIONS.rows)
    assert list(found["table_5"]) == list(MASK.rows)
    assert found["table_4"]["both"]["multi"] == found["table_5"]["0.35"]["multi"]
    text = found["table_5"]["1"]["manifold"]["text"]
    assert text["pairs"] == 14
    assert len(text["cosine"]["seeds"]) == 1
    assert 0 <= text["r_at_1"]["mean"] <= text["r_at_5"]["mean"] <= 1
    assert found["table_4"]["CLIP only"]["single"]["image"]["pairs"] == 7
    assert found["chance"]["image"] == {"pairs": 7, "r_at_1": 1 / 7, "r_at_5": 5 / 7}
    assert set(found["audio"]) == {"heard as zeros", "heard translated"}


def test_a_stopped_ablation_goes_on_and_ends_the_same(
    data: AblationData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablations, "ALPHAS", (0.35,))
    told: list[tuple[int, int]] = []

    def stage(_: str) -> StepCallback:
        def on_step(step: int, of: int) -> None:
            told.append((step, of))
            if step == 7 and len(told) == 7:
                raise Cancelled("Stopped.")

        return on_step

    whole = ablate(data, BUDGET, tmp_path / "whole", silent)
    with pytest.raises(Cancelled):
        ablate(data, BUDGET, tmp_path / "parts", stage)
    assert list((tmp_path / "parts").rglob("*.checkpoint"))
    assert ablate(data, BUDGET, tmp_path / "parts", stage) == whole
    assert told[-1][0] == told[-1][1]
    assert not list((tmp_path / "parts").rglob("*.checkpoint"))
    assert ablate(data, BUDGET, tmp_path / "parts", silent) == whole


def test_other_data_is_not_taken_for_what_is_kept(
    data: AblationData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablations, "ALPHAS", (0.35,))
    ablate(data, BUDGET, tmp_path, silent)
    ablate(replace(data, held=sounds(14, 9)), BUDGET, tmp_path, silent)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_perfect_prediction_gets_every_mark() -> None:
    true, classes = unit(30, 16, 1), unit(12, 16, 2)
    marks = {**measures.recalls(true, true), **measures.nearness(true, true, classes)}
    assert marks["r_at_1"] == marks["r_at_5"] == 1
    assert marks["cosine"] == pytest.approx(1)
    assert marks["frechet_embeddings"] == pytest.approx(0, abs=1e-5)
    assert marks["ssms_prototypes"] == pytest.approx(10)
    assert measures.recalls(true, true.roll(1, 0))["r_at_1"] < 0.2


@pytest.mark.parametrize(
    ("condition", "manifold", "clips"),
    [("CLIP only", False, True), ("manifold only", True, False), ("both", True, True)],
)
def test_a_condition_leaves_its_half_of_the_tokens(
    data: AblationData, condition: str, manifold: bool, clips: bool
) -> None:
    model = build_ssv2a(data.sizes).eval()
    first, second, _ = part_of(model, measures.held_scenes(data), condition)  # type: ignore[arg-type]
    assert (bool(first.any()), bool(second.any())) == (manifold, clips)


def test_a_translator_fills_the_half_of_what_is_heard(data: AblationData) -> None:
    model = build_ssv2a(data.sizes).eval()
    model.translator = Translator(data.sizes.clap_dim, data.sizes.clip_dim, 16).eval()
    scenes = measures.held_scenes(data, share=1.0)
    assert not scenes.clips.any()
    assert not scenes.frames.any()
    assert scenes.claps.any(dim=-1).equal(data.held_scenes.rows >= 0)
    assert not part_of(model, scenes, "heard as zeros")[1].any()
    filled = part_of(model, scenes, "heard translated")[1].any(dim=-1)
    assert filled[:, 1:-1].equal(data.held_scenes.rows >= 0)


def test_a_source_is_seen_or_heard_and_never_both(data: AblationData) -> None:
    heard = torch.rand(data.held_scenes.rows.shape) < 0.5
    scenes = scenes_of(data.held, data.held_scenes, heard, 0.1, torch.Generator().manual_seed(1))
    seen, listened = scenes.clips.any(dim=-1), scenes.claps.any(dim=-1)
    assert not (seen & listened).any()
    assert (seen | listened).equal(data.held_scenes.rows >= 0)


def test_each_text_and_picture_asks_once(data: AblationData) -> None:
    twice = replace(data.held, read=[[row // 2] for row in range(14)])
    pairs = measures.asked(twice)["text"]
    assert len(pairs.clips) == 7
    assert pairs.claps.equal(data.held.claps[::2])


def test_one_class_is_too_few(data: AblationData, tmp_path: Path) -> None:
    one = replace(data, learned=replace(data.learned, kinds=["dog"] * 18))
    with pytest.raises(BadCorpus, match="1 classes"):
        ablate(one, BUDGET, tmp_path, silent)


def test_seeds_become_mean_and_spread() -> None:
    rows = [{"text": {"pairs": 4, "cosine": value}} for value in (0.1, 0.3)]
    found = merged(rows)["text"]
    assert found["pairs"] == 4
    assert found["cosine"]["mean"] == pytest.approx(0.2)
    assert found["cosine"]["std"] == pytest.approx(0.2 / 2**0.5)


class Looker:
    """An image encoder that gives each picture a vector of its own colour."""

    def encode(self, images: list[Image.Image]) -> torch.Tensor:
        return unit(len(images), 384, images[0].convert("RGB").getpixel((0, 0))[0])  # type: ignore[index]


@pytest.fixture
def run(tmp_path: Path) -> SimpleNamespace:
    """What ablations ask of a training: four sounds learned, two held out, one with a picture."""
    sizes = tiny_sizes()
    torch.manual_seed(1)
    save_file(AudioNet(sizes.audio).state_dict(), tmp_path / "audio_net.safetensors")
    Image.new("RGB", (8, 8), (9, 0, 0)).save(tmp_path / "own.png")
    lines = ["file,text,foley_class,licence,package,role", "own.png,ball,,CC0,p,cutouts"]
    (tmp_path / "images.csv").write_text("\n".join(lines), encoding="utf-8")
    clips = [
        SimpleNamespace(split=split, text=text, foley_class="dog", image=image)
        for split, text, image in [
            *(("train", f"dog {n}", "") for n in range(4)),
            ("test", "howl", "own.png"),
            ("test", "howl", ""),
        ]
    ]
    tensors = {
        "words": unit(12, 384, 1).reshape(2, 6, 384),
        "translated": unit(6, 384, 2).reshape(1, 6, 384),
        "pictures": unit(2, 384, 3).reshape(2, 1, 384),
        "heard": unit(6, sizes.audio.dim, 4),
    }
    chance = np.random.default_rng(1)
    mels = [chance.normal(-5, 1, (40 + 50 * n, MEL.mels)).astype(np.float16) for n in range(6)]
    return SimpleNamespace(
        data=tmp_path,
        work=tmp_path,
        plan=SimpleNamespace(sizes=sizes),
        clips=clips,
        chosen=[0, 1, 2, 3],
        cutouts=[SimpleNamespace(name="red.png", foley_class="dog")],
        weights=torch.ones(4, dtype=torch.float64),
        tensor=tensors.__getitem__,
        store=SimpleNamespace(clip=mels.__getitem__),
    )


@pytest.fixture
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few scenes to compose, and an eye that needs no weights."""
    monkeypatch.setattr(ablation_sources, "LEARNED_SCENES", 5)
    monkeypatch.setattr(ablation_sources, "HELD_SCENES", 3)
    monkeypatch.setattr(ablation_sources, "load_text_encoder", lambda device: None)
    monkeypatch.setattr(ablation_sources, "load_image_encoder", lambda reader, device: Looker())


@pytest.mark.usefixtures("few_scenes")
def test_a_work_folder_gives_sounds_and_scenes(run: SimpleNamespace) -> None:
    data = ablation_sources.of_run(run, silent)  # type: ignore[arg-type]
    assert data.learned.read[1] == [1, 5, 9]
    assert data.learned.clips[9].equal(run.tensor("translated")[0, 1])
    assert data.learned.seen == [[12, 13]] * 4
    assert data.held.read == [[0], [0]]
    assert data.held.seen == [[1], []]
    assert data.held.clips[0].equal(run.tensor("words")[0, 4])
    assert data.held.claps.equal(run.tensor("heard")[4:])
    assert data.learned_scenes.rows.shape == (5, 5)
    sizes = (data.learned_scenes.rows >= 0).sum(1)
    assert (sizes >= 2).all()
    assert data.held_scenes.targets.norm(dim=-1) == pytest.approx(torch.ones(3), abs=1e-5)
    again = ablation_sources.of_run(run, silent)  # type: ignore[arg-type]
    assert again.held_scenes.targets.equal(data.held_scenes.targets)
