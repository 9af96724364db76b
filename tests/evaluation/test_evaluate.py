"""``wildtrack evaluate`` from folders of sounds to figures, with a tiny pack of random weights."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from PIL import Image

from engine.evaluation import judge
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.commands import evaluate as command
from engine.evaluation.evaluate import evaluate
from engine.evaluation.wish import Wish
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import BadCorpus, Cancelled, OutOfRange

RATE = 22_050
KINDS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "hum": lambda draw, t: np.sin(2 * np.pi * draw.uniform(90, 130) * t),
    "hiss": lambda draw, t: draw.normal(0, 0.3, len(t)),
    "beep": lambda draw, t: np.sin(2 * np.pi * draw.uniform(1800, 2600) * t) * (t % 0.1 < 0.05),
}


def quiet(name: str) -> StepCallback:
    return no_steps


def write(folder: Path, seed: int, each: int, kinds: Sequence[str] = tuple(KINDS)) -> Path:
    """Write ``each`` sounds of every kind into a sub-folder of its name."""
    draw = np.random.default_rng(seed)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for number in range(each):
            time = np.arange(int(draw.uniform(0.3, 0.5) * RATE)) / RATE
            soundfile.write(folder / kind / f"{number}.wav", 0.5 * KINDS[kind](draw, time), RATE)
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """Forty trees tell three kinds of sound as well as six hundred."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "train_judge", partial(judge.train_judge, trees=40))
        yield


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``teach``, ``real``, ``good`` and ``bad``, the latter with the classes confused."""
    base = tmp_path_factory.mktemp("sounds")
    write(base / "teach", 1, 5)
    write(base / "real", 2, 5)
    write(base / "good", 3, 5)
    write(base / "bad", 4, 5)
    (base / "bad" / "hum").rename(base / "bad" / "swap")
    (base / "bad" / "hiss").rename(base / "bad" / "hum")
    (base / "bad" / "swap").rename(base / "bad" / "hiss")
    return base


def wish(sounds: Path, generated: str | Path, **more: Any) -> Wish:
    given = {"embedders": ("judge",), "how": Bootstrap(draws=10), **more}
    return Wish(sounds / generated, sounds / "real", **given)


def taught(sounds: Path, generated: str | Path, **more: Any) -> Wish:
    return wish(sounds, generated, teach=sounds / "teach", **{"labels": 1, **more})


@pytest.fixture(scope="module")
def good(sounds: Path) -> dict[str, Any]:
    return evaluate(taught(sounds, "good"), quiet)


def test_good_sounds_score_better_than_confused_ones(sounds: Path, good: dict[str, Any]) -> None:
    bad = evaluate(taught(sounds, "bad"), quiet)
    ours, theirs = (found["labels"]["judge"] for found in (good, bad))
    assert ours["ssms"]["value"] > 0.9
    assert theirs["ssms"]["value"] < 0.5
    assert ours["ssms"]["value"] > ours["ssms"]["wrong_pairs"] + 0.4
    assert ours["recognition"]["generated"]["top_1"]["value"] > 0.9
    assert theirs["recognition"]["by_class"]["beep"]["generated"] > 0.9
    assert theirs["recognition"]["by_class"]["hum"]["generated"] < 0.1
    assert ours["recognition"]["ratio_top_1"]["value"] == pytest.approx(1, abs=0.1)
    first, second = (f["frechet"]["judge"]["by_class"]["hum"] for f in (good, bad))
    assert first < second


def test_the_real_sounds_themselves_are_perfect(sounds: Path) -> None:
    found = evaluate(wish(sounds, "real"), quiet)
    assert found["frechet"]["judge"]["value"] == pytest.approx(0, abs=1e-6)
    assert found["pairs"] == {"count": 15, "unpaired": [], "missing": []}


def test_the_same_seed_gives_the_same_figures(sounds: Path, good: dict[str, Any]) -> None:
    assert evaluate(taught(sounds, "good"), quiet) == good


def test_json_holds_every_figure(good: dict[str, Any]) -> None:
    assert json.loads(json.dumps(good, allow_nan=False)) == good
    assert set(good["skipped"]) == {"clip score", "copies", "offsets"}


def test_a_bad_file_is_listed_and_the_rest_is_measured(sounds: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "generated", 5, 2)
    (folder / "hum" / "0.wav").write_bytes(b"RIFF no sound at all")
    (folder / "notes.txt").write_text("no sound, and no claim to be one")
    found = evaluate(wish(sounds, folder), quiet)
    assert found["generated"]["sounds"] == 5
    assert [bad["name"] for bad in found["generated"]["bad"]] == ["hum/0"]
    assert found["pairs"]["count"] == 5


def test_a_pack_hears_copies_and_sees_pictures(
    sounds: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures" / "hum"
    pictures.mkdir(parents=True)
    for name, colour in (("0.png", "red"), ("1_a.png", "blue"), ("1_b.png", "green")):
        Image.new("RGB", (32, 32), colour).save(pictures / name)
    (pictures / "2.png").write_bytes(b"not a picture")
    found = evaluate(
        wish(
            sounds,
            "teach",
            embedders=("judge", "pack"),
            pack=str(tiny_pack),
            training=sounds / "teach",
            pictures=pictures.parent,
        ),
        quiet,
    )
    assert found["pictures"]["sounds"] == 2
    assert -100 <= found["pictures"]["value"] <= 100
    assert [bad["name"] for bad in found["pictures"]["bad"]] == ["2.png"]
    assert found["copies"]["below"]["value"] > 0.9
    assert found["copies"]["nearest"][0]["name"] == found["copies"]["nearest"][0]["training"]
    assert found["copies"]["generated_median"] == pytest.approx(0, abs=1e-3)
    assert found["frechet"]["pack"]["dimensions"] > 1
    assert found["frechet"]["judge"]["ratio"] == pytest.approx(1, rel=0.5)


def test_a_table_pairs_what_names_do_not(sounds: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "generated", 6, 1)
    table = tmp_path / "pairs.csv"
    rows = [("hum/0.wav", "hum/3.wav", "hum"), ("hiss/0", "hiss\\2.wav", ""), ("x", "hum/1", "")]
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("generated", "reference", "class"), *rows])
    found = evaluate(wish(sounds, folder, pairs=table), quiet)
    assert found["pairs"]["count"] == 2
    assert found["pairs"]["unpaired"] == ["beep/0"]
    assert found["pairs"]["missing"] == ["pairs.csv, line 4: x is not in its folder"]


def test_sounds_without_partners_still_have_a_distance(sounds: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "generated", 7, 2, ["hum"])
    (folder / "hum").rename(folder / "other")
    for path in (folder / "other").iterdir():
        path.rename(path.with_stem(f"take-{path.stem}"))
    found = evaluate(taught(sounds, folder), quiet)
    assert found["pairs"]["count"] == 0
    assert found["frechet"]["judge"]["value"] > 0
    assert "--pairs" in found["skipped"]["ssms by judge"]
    assert "sub-folder" in found["skipped"]["recognition by judge"]


def test_more_labels_than_the_judge_knows_are_a_reason_not_a_crash(sounds: Path) -> None:
    found = evaluate(taught(sounds, "good", labels=10), quiet)
    assert found["labels"]["judge"]["ssms"] is None
    assert "1 to 2 labels" in found["skipped"]["ssms by judge"]


def test_embeddings_made_elsewhere_are_measured(sounds: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    for name in ("ours", "theirs"):
        np.save(tmp_path / f"{name}.npy", draw.normal(0, 1, (30, 4)).astype(np.float32))
    files = (tmp_path / "ours.npy", tmp_path / "theirs.npy")
    found = evaluate(wish(sounds, "good", embeddings=(files,)), quiet)
    assert found["frechet"]["ours.npy"]["rows"] == [30, 30]
    assert 0 < found["frechet"]["ours.npy"]["value"] < 2


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"numbers"])
def test_a_broken_file_of_embeddings(sounds: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npy").write_bytes(content)
    files = (tmp_path / "bad.npy", tmp_path / "bad.npy")
    with pytest.raises(OutOfRange, match=r"bad\.npy is no \.npy file"):
        evaluate(wish(sounds, "good", embeddings=(files,)), quiet)


def test_pickled_embeddings_are_refused(sounds: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    files = (tmp_path / "bad.npy", tmp_path / "bad.npy")
    with pytest.raises(OutOfRange, match=r"bad\.npy is no \.npy file"):
        evaluate(wish(sounds, "good", embeddings=(files,)), quiet)


def test_any_part_of_the_work_can_be_stopped(sounds: Path) -> None:
    begun: list[str] = []

    def stage(name: str) -> StepCallback:
        begun.append(name)
        return stop if name == "distance by judge" else no_steps

    def stop(step: int, of: int) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        evaluate(taught(sounds, "good"), stage)
    assert begun == ["teach judge", "generated sounds", "reference sounds", "distance by judge"]


def test_a_folder_without_sounds(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(BadCorpus, match="holds no sound"):
        evaluate(wish(sounds, tmp_path), quiet)


def test_one_sound_is_too_few(sounds: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "generated", 8, 1, ["hum"])
    with pytest.raises(OutOfRange, match="1 generated sounds can be read"):
        evaluate(wish(sounds, folder), quiet)


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_the_command_prints_a_table(sounds: Path, tmp_path: Path) -> None:
    table = tmp_path / "offsets.csv"
    table.write_text("name,-0.2,0.0,0.2\nhum,0.5,0.25,0.25\n")
    done = run(
        sounds / "good", sounds / "real", "--embedder", "judge", "--teach", sounds / "teach",
        "--labels", "1", "--offsets", table, "--by-class", "--draws", "20",
    )  # fmt: skip
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["measure", "value", "interval", "read it by"]
    measures = {line[0]: line for line in lines}
    assert measures["WMAO, top-1"][1] == "0.200 s"
    assert measures["SSMS of 1, judge, 3 labels"][3].startswith("wrong pairs 0.")
    assert measures["class"] == [
        "class", "Fréchet, judge", "SSMS, judge", "named, generated, judge",
        "named, reference, judge",
    ]  # fmt: skip
    assert "not measured: copies." in done.stderr


def test_the_command_prints_json(sounds: Path) -> None:
    done = run(
        sounds / "good", sounds / "real", "--embedder", "judge", "--draws", "10", "--seed", "5",
        "--json",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["settings"]["seed"], found["settings"]["draws"]) == (5, 10)
    assert found["frechet"]["judge"]["low"] <= found["frechet"]["judge"]["value"]
