"""The listening survey: blind, even, complete; its scores proved on published and made-up cases."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from engine.evaluation.listening_commands import listening
from engine.evaluation.listening_kit import Design, Item, read_items, share_out
from engine.evaluation.listening_scores import (
    Rating,
    Screening,
    agreement,
    alpha,
    differences,
    opinions,
    rejected,
)
from engine.evaluation.loudness import RATE, loudness, match
from osc_bridge.errors import BadCorpus, FileMissing, OutOfRange, WildtrackError

# Krippendorff (2011), section D: four observers, twelve units, some not seen.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)


@pytest.mark.parametrize(
    ("metric", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_the_published_one(metric: str, value: float) -> None:
    units = [[row[unit] for row in OBSERVERS if row[unit]] for unit in range(12)]
    assert alpha(units, metric) == pytest.approx(value, abs=6e-4)  # type: ignore[arg-type]


def test_alpha_at_its_ends() -> None:
    assert alpha([[1, 1], [3, 3], [5, 5]]) == 1.0
    assert alpha([[2, 2], [2, 2]]) == 1.0
    assert math.isnan(alpha([[1], [2]]))
    drawn = np.random.default_rng(1).integers(1, 6, (4000, 3))
    assert alpha(drawn.tolist()) == pytest.approx(0, abs=0.03)


def rate(rater: str, item: str, method: str, value: int, round_: int = 1) -> Rating:
    return Rating(rater, "fidelity", item, f"{item}-{method}", method, round_, value, 5.0)


def panel(raters: int = 6, items: int = 10) -> list[Rating]:
    """Raters who agree but for a point now and then: "good" is rated two points above "poor"."""
    chance = np.random.default_rng(3)
    ratings = []
    for item in range(items):
        for rater in range(raters):
            level = 2 + item % 2
            for method, more in (("good", 2), ("poor", 0)):
                value = int(np.clip(level + more + chance.integers(-1, 2) * (item % 3 == 0), 1, 5))
                ratings.append(rate(f"r{rater}", f"i{item}", method, value))
    return ratings


def test_scores_are_means_with_deviations() -> None:
    ratings = [rate("a", "x", "m", 1), rate("a", "y", "m", 3), rate("b", "x", "m", 5)]
    found = opinions([*ratings, rate("a", "x", "m", 5, round_=2)])[0]
    assert (found.mean, found.ratings, found.raters) == (3.0, 3, 2)
    assert found.std == pytest.approx(2.0)
    assert found.std_items == pytest.approx(0.0)
    assert found.low == pytest.approx(2.0)
    assert found.high == pytest.approx(5.0)


def test_differences_are_paired_and_the_same_twice() -> None:
    found = differences(panel(), "good")
    assert [(d.method, d.than) for d in found] == [("good", "poor")]
    assert found[0].mean == pytest.approx(2.0, abs=0.4)
    assert found[0].low > 1
    assert found == differences(panel(), "good")


def test_odd_raters_are_left_out_with_the_reason() -> None:
    good = panel()
    assert rejected(good, Screening()) == {}
    assert agreement(good, "fidelity") > 0.6
    backwards = [rate("odd", r.item, r.method, 6 - r.rating) for r in good if r.rater == "r0"]
    flat = [rate("flat", r.item, r.method, 3) for r in good if r.rater == "r0"]
    lazy = [rate("lazy", "i0", "good", 4), rate("lazy", "i1", "good", 4)]
    again = [r for r in good if r.rater == "r1"]
    fickle = [rate("fickle", r.item, r.method, r.rating) for r in again]
    fickle += [rate("fickle", r.item, r.method, 6 - r.rating, 2) for r in again]
    hasty = [Rating("hasty", *list(vars(r).values())[1:7], 0.0) for r in again]
    found = rejected([*good, *backwards, *flat, *lazy, *fickle, *hasty], Screening())
    assert set(found) == {"odd", "flat", "lazy", "fickle", "hasty"}
    assert "correlation -" in found["odd"]
    assert found["flat"] == "always 3"
    assert "2 answers" in found["lazy"]
    assert "between first and second" in found["fickle"]
    assert "listened 0.0 s" in found["hasty"]


def test_loudness_of_the_standards_tone() -> None:
    """BS.1770: a full-scale sine of 997 Hz in one channel reads -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(2 * RATE) / RATE).astype(np.float32)
    assert loudness(tone) == pytest.approx(-3.01, abs=0.02)
    assert loudness(tone / 10) == pytest.approx(-23.01, abs=0.02)
    assert loudness(np.zeros(RATE, np.float32)) == -math.inf


def test_matched_sounds_are_equally_loud_and_do_not_clip() -> None:
    chance = np.random.default_rng(1)
    click = np.zeros(RATE, np.float32)
    click[100] = 0.9
    waves = [chance.normal(0, level, RATE).astype(np.float32) for level in (0.001, 0.5)]
    matched = match([*waves, click, np.zeros(RATE, np.float32)])
    levels = [loudness(wave) for wave in matched[:3]]
    assert levels == pytest.approx([levels[0]] * 3, abs=0.05)
    assert max(float(np.abs(wave).max()) for wave in matched) < 0.9
    assert not matched[3].any()


def test_sections_ask_of_different_items_where_there_are_enough() -> None:
    items = [Item(f"i{n}", "t", Path("p.png") if n % 2 else None) for n in range(20)]
    shared = share_out(items, Design(fidelity=10, relevance=5))
    assert len(shared["relevance"]) == 5
    assert all(item.image for item in shared["relevance"])
    assert not set(shared["fidelity"]) & set(shared["relevance"])
    assert share_out(items, Design(fidelity=20, relevance=5))["fidelity"].__len__() == 20


METHODS = ("ours", "theirs")


@pytest.fixture
def stimuli(tmp_path: Path) -> Path:
    """Four items with pictures; two methods of other rates, levels and lengths."""
    lines = ["item,tag,image"]
    for number in range(4):
        Image.new("RGBA", (30, 20), (9, 99, 9, 120)).save(tmp_path / f"{number}.png")
        lines.append(f"{number},<b>tag</b> {number},{number}.png")
        for method, rate_hz in (("ours", 48_000), ("theirs", 16_000)):
            (tmp_path / method).mkdir(exist_ok=True)
            chance = np.random.default_rng(number)
            wave = chance.normal(0, 0.02 if method == "ours" else 0.2, rate_hz // (number + 1))
            soundfile.write(tmp_path / method / f"{number}.wav", wave, rate_hz)
    (tmp_path / "items.csv").write_text("\n".join(lines))
    return tmp_path


def made(stimuli: Path, *more: str) -> Path:
    methods = [word for m in METHODS for word in ("--method", f"{m}={stimuli / m}")]
    out = stimuli / "kit"
    options = ["--out", str(out), "--fidelity", "2", "--relevance", "2", *more]
    arguments = ["make", str(stimuli / "items.csv"), *methods, *options]
    result = CliRunner().invoke(listening, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out


def key_rows(kit: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((kit / "key.csv").read_text().splitlines()))


def test_the_kit_tells_nothing_of_the_methods(stimuli: Path) -> None:
    kit = made(stimuli)
    page = (kit / "survey" / "index.html").read_text()
    data = page.split('id="survey">')[1].split("</script>")[0]
    assert not any(word in data for word in ("ours", "theirs", ".wav"))
    assert "<" not in data
    assert not re.search(r"(src|href)=\"", page)
    assert "default-src 'none'" in page
    for row in key_rows(kit):
        assert row["sample"] not in (row["item"], row["method"])
    by_question: dict[str, list[Path]] = {}
    for row in key_rows(kit):
        file = kit / "survey" / "audio" / f"{row['sample']}.flac"
        by_question.setdefault(row["question"], []).append(file)
    for files in by_question.values():
        infos = [soundfile.info(file) for file in files]
        assert len({(i.samplerate, i.frames, i.channels, i.subtype) for i in infos}) == 1
        levels = [loudness(soundfile.read(file, dtype="float32")[0]) for file in files]
        assert levels[0] == pytest.approx(levels[1], abs=0.1)


def test_the_same_seed_makes_the_same_kit(stimuli: Path) -> None:
    kit = made(stimuli)
    first = {p.name: p.read_bytes() for p in kit.rglob("*") if p.is_file()}
    kit.rename(stimuli / "other")
    again = made(stimuli)
    assert first == {p.name: p.read_bytes() for p in again.rglob("*") if p.is_file()}


def test_a_missing_sound_is_named_before_anything_is_written(stimuli: Path) -> None:
    (stimuli / "theirs" / "2.wav").unlink()
    with pytest.raises(FileMissing, match="no sound for '2'"):
        made(stimuli)
    assert not (stimuli / "kit").exists()


def test_a_second_kit_does_not_go_into_the_first(stimuli: Path) -> None:
    made(stimuli)
    with pytest.raises(BadCorpus, match="not empty"):
        made(stimuli)


def test_items_named_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item,tag\na,x\na,y\n")
    with pytest.raises(BadCorpus, match="twice"):
        read_items(tmp_path / "items.csv")


def answers(kit: Path, rater: str, value: dict[str, int]) -> str:
    lines = ["kit,participant,section,question,sample,round,position,rating,played_s,answered_s"]
    lines += [
        f"{row['kit']},{rater},{row['section']},{row['question']},{row['sample']},1,1,"
        f"{value[row['method']]},4.0,9.0"
        for row in key_rows(kit)
    ]
    return "\n".join(lines) + "\n"


def test_what_comes_back_is_joined_with_the_key_and_bad_lines_are_listed(stimuli: Path) -> None:
    kit = made(stimuli)
    back = stimuli / "back"
    back.mkdir()
    for number in range(3):
        text = answers(kit, f"p{number}", {"ours": 5, "theirs": 2})
        (back / f"{number}.csv").write_text(text)
    (back / "more.csv").write_text(text.splitlines()[0] + "\nkit,p9,fidelity,q,nothing,1,1,5,1,1\n")
    (back / "odd.csv").write_text(text.replace(",4.0,9.0", ",x,9.0", 1).replace("p2", "p7"))
    (back / "high.csv").write_text(text.replace(",1,1,5,4.0", ",1,1,7,4.0", 1).replace("p2", "p8"))
    (back / "none.csv").write_bytes(b"\xff\xfe\x00")
    report = stimuli / "mos.html"
    arguments = ["analyse", str(back), "--key", str(kit / "key.csv"), "--out", str(report)]
    result = CliRunner().invoke(listening, [*arguments, "--json", "--ours", "ours"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {(o["method"], o["mean"]) for o in found["opinions"]} == {("ours", 5.0), ("theirs", 2.0)}
    assert all(d["mean"] == 3.0 for d in found["differences"])
    assert found["alpha"]["fidelity"]["interval"] == pytest.approx(1.0)
    assert len(found["left_out"]) == 4
    assert "4.080" in report.read_text()


def test_a_survey_whose_raters_are_all_odd_says_so(stimuli: Path) -> None:
    kit = made(stimuli)
    (stimuli / "a.csv").write_text(answers(kit, "p", {"ours": 3, "theirs": 3}))
    arguments = ["analyse", str(stimuli / "a.csv"), "--key", str(kit / "key.csv")]
    result = CliRunner().invoke(listening, arguments, catch_exceptions=False)
    assert "always 3" in result.output
    assert "Nobody is left" in result.output
    kept = CliRunner().invoke(listening, [*arguments, "--keep-all"], catch_exceptions=False)
    assert "3.000" in kept.output


def test_ratings_of_another_kit_are_refused(stimuli: Path) -> None:
    """Also of one with the same items and seed, where one method made another sound."""
    kit = made(stimuli)
    (stimuli / "a.csv").write_text(answers(kit, "p", {"ours": 3, "theirs": 3}))
    kit.rename(stimuli / "first")
    soundfile.write(stimuli / "ours" / "0.wav", np.full(9000, 0.1), 48_000)
    key = made(stimuli) / "key.csv"
    arguments = ["analyse", str(stimuli / "a.csv"), "--key", str(key)]
    with pytest.raises(BadCorpus, match="not of this kit"):
        CliRunner().invoke(listening, arguments, catch_exceptions=False)


def test_a_kit_that_fails_leaves_nothing(stimuli: Path) -> None:
    (stimuli / "3.png").write_bytes(b"no picture")
    before = sorted(stimuli.iterdir())
    with pytest.raises(WildtrackError):
        made(stimuli, "--fidelity", "0", "--relevance", "4")
    assert sorted(stimuli.iterdir()) == before


def test_a_table_of_a_spreadsheet_is_read_and_gaps_are_named(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_bytes(b"\xef\xbb\xbfitem,tag,image\r\na,rain,\r\n")
    assert read_items(table) == [Item("a", "rain", None)]
    table.write_text("item,tag\na,\n")
    with pytest.raises(BadCorpus, match="without item or tag"):
        read_items(table)
    table.write_text("item;tag\na;rain\n")
    with pytest.raises(BadCorpus, match="with commas"):
        read_items(table)
    table.write_bytes(b"item,tag\na,\xff\n")
    with pytest.raises(BadCorpus, match="UTF-8"):
        read_items(table)


def test_no_name_looks_like_a_number_to_a_spreadsheet(stimuli: Path) -> None:
    for row in key_rows(made(stimuli)):
        assert all(row[column][0].isalpha() for column in ("kit", "question", "sample"))


def test_two_methods_of_one_name_are_refused(stimuli: Path) -> None:
    methods = [word for m in METHODS for word in ("--method", f"same={stimuli / m}")]
    arguments = ["make", str(stimuli / "items.csv"), *methods, "--out", str(stimuli / "kit")]
    result = CliRunner().invoke(listening, arguments)
    assert result.exit_code == 2
    assert "a name of its own" in result.output


def test_the_terminal_shows_agreement_and_a_wrong_name_is_refused(stimuli: Path) -> None:
    kit = made(stimuli)
    for rater in ("a", "b"):
        value = {"ours": 5, "theirs": 2}
        (stimuli / f"{rater}.csv").write_text(answers(kit, rater, value))
    tables = [str(stimuli / "a.csv"), str(stimuli / "b.csv"), "--key", str(kit / "key.csv")]
    shown = CliRunner().invoke(listening, ["analyse", *tables], catch_exceptions=False).output
    assert "alpha): 1.000 interval" in shown
    assert "2 of 2 raters" in shown
    with pytest.raises(OutOfRange, match=r"Nobody rated 'urs'.*ours, theirs"):
        CliRunner().invoke(listening, ["analyse", *tables, "--ours", "urs"], catch_exceptions=False)
