"""The page of ``wildtrack evaluate --paper``, written from made-up numbers."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from engine.evaluation.bootstrap import Interval
from engine.evaluation.paper_markdown import over_seeds
from engine.evaluation.paper_page import write_page
from engine.evaluation.paper_parts import PARTS
from engine.evaluation.paper_tables import MASK, TABLES
from engine.evaluation.paper_verdicts import (
    Side,
    against_zero,
    finding,
    judge,
    number,
    outcome_of,
    shown,
)

Json = dict[str, Any]


def around(value: float, half: float = 0.1) -> Json:
    return {"value": value, "low": value - half, "high": value + half}


def seeds(*values: float) -> Json:
    return {"mean": sum(values) / len(values), "std": 0.1, "seeds": list(values)}


def row(distance: float, ssms: float) -> Json:
    measures = {
        "frechet judge": around(distance, 2.0),
        "frechet pack": around(distance / 100, 0.02),
        "ssms judge": around(ssms, 0.3),
        "top_1 judge": around(ssms / 20, 0.03),
        "top_5 judge": around(ssms / 12, 0.05),
        "picture pack": around(4 * ssms, 2.0),
    }
    return {"sounds": 96, "left_out": [], "measures": measures}


CHANCE = {"frechet judge": 12.5, "frechet pack": 0.2, "ssms judge": 2.6, "top_1 judge": 1 / 42}


def section(**rows: Json) -> Json:
    return {
        "sounds": 96,
        "classes": 33,
        "sources": 1.0,
        "pictured": 96,
        "labels": {"judge": {"of": 42, "n": 10}},
        "rows": {"real": row(0.0, 10.0), **rows},
        "chance": CHANCE,
        "missing": ["aisfx", "beats", "clap", "vggish", "wav2clip"],
    }


def marks(high: float) -> Json:
    return {
        "pairs": 80,
        "r_at_1": seeds(high / 10, high / 9.8, high / 10.2),
        "r_at_5": seeds(high / 3, high / 2.9, high / 3.1),
        "cosine": seeds(high, high + 0.005, high - 0.005),
        "frechet_embeddings": seeds(1 - high, 1.005 - high, 0.995 - high),
        "ssms_prototypes": seeds(10 * high, 10 * high + 0.05, 10 * high - 0.05),
    }


def trained(high: float, *, is_alpha: bool = False) -> Json:
    single = {"image": marks(high), "text": marks(high + 0.1)}
    found = {"single": single, "multi": marks(high - 0.1)}
    return {"manifold": single, **found} if is_alpha else found


def ablated() -> Json:
    chance = {"pairs": 80, "r_at_1": 0.0125, "r_at_5": 0.0625}
    heard = {"half": marks(0.4), "all": marks(0.3)}
    return {
        "table_4": {
            "CLIP only": trained(0.3),
            "manifold only": trained(0.5),
            "both": trained(0.55),
        },
        "table_5": {
            name: trained(high, is_alpha=True)
            for name, high in (("0", 0.3), ("0.35", 0.5), ("0.65", 0.502), ("1", 0.6))
        },
        "audio": {
            "heard as zeros": heard,
            "heard translated": {"half": marks(0.5), "all": marks(0.305)},
        },
        "chance": {"image": chance, "text": chance, "multi": chance},
        "floor": {"image": 0.1, "text": 0.1, "multi": 0.1},
        "learned": {"sounds": 4434, "scenes": 2048},
        "budget": {"seeds": [1, 2, 3]},
    }


def manifold() -> Json:
    def space(close: float) -> Json:
        return {
            "gap": around(1 - close),
            "partition": around(8 + 4 * close, 0.2),
            "contrast": around(0.2, 0.05),
            "misclassified": around(30 * close, 3.0),
            "held_out": around(40 * close, 5.0),
            "entropy_r2": around(1 - 0.9 * close, 0.05),
            "minus_2_ll": around(50 * close, 2.0),
        }

    return {
        "pairs": 300,
        "classes": 16,
        "pictured": 60,
        "distinct": 250,
        "draws": 20,
        "each": 20,
        "spaces": {"raw": space(0.0), "manifold": space(1.0), "reconstructed": space(0.9)},
    }


def muted() -> Json:
    change = {
        "own": around(-0.05, 0.02),
        "others": around(0.01, 0.01),
        "own_less_others": around(-0.06, 0.02),
        "own_falls_more": around(0.8, 0.1),
        "own_falls": around(0.85, 0.1),
    }
    return {
        "scenes": 16,
        "sources": 40,
        "seconds": 2.0,
        "residual_db": {"mean": -150.0, "highest": -140.2},
        "rendered": change,
        "left_out": {**change, "own_less_others": around(-0.01, 0.02)},
    }


def measured() -> Json:
    awareness = {
        name: {measure: around(value, 0.05) for measure in ("whole", "least", "pulse")}
        for name, value in (("cascade", 0.4), ("ssv2a", 0.5), ("more", 0.1))
    }
    mixed = {"64 x 64": row(40, 4.0), "1 x 1": row(41, 3.9), "4 x 4": row(60, 2.0)}
    mixes = {"cosine": around(0.5), "r_at_1": around(0.2), "r_at_5": around(0.5)}
    return {
        "single": section(
            codec=row(20, 6.0),
            oracle=row(30, 5.0),
            mapper=row(50, 3.0),
            pictures=row(40, 4.0),
            words=row(38, 4.2),
        ),
        "multi": section(
            oracle=row(30, 4.1), mapper=row(20, 5.0), cascade=row(45, 3.5), pictures=row(40, 4.0)
        ),
        "synchrony": {"why": "needs Synchformer's outputs; give them with --offsets."},
        "ablations": ablated(),
        "manifold": manifold(),
        "cycle-mix": {
            "single": {"rows": mixed, "chance": CHANCE},
            "multi": {"why": "the corpus has one class only; scenes need two."},
        },
        "composition": {
            "scenes": 12,
            "seeds": 2,
            "kinds": dict.fromkeys(("interaction", "context", "style"), awareness),
        },
        "audio": {
            "scenes": 256,
            "heard_sources": 400,
            "chance": {"r_at_1": 1 / 256, "r_at_5": 5 / 256},
            "has_translator": True,
            "zeros": mixes,
            "translated": mixes,
            "gain": {"cosine": around(0.0), "r_at_1": around(0.0), "r_at_5": around(0.0)},
        },
        "muting": muted(),
        "starter": {
            "bars": [
                {"bar": "named", "asked": "at least 0.8", "measured": "0.7", "outcome": "missed"},
                {"bar": "copies", "asked": "at most 5 %", "measured": None, "outcome": "no|ne"},
            ]
        },
    }


def made_up() -> Json:
    return {
        "setting": {
            "pack": "starter",
            "version": "0",
            "digest": "0123456789abcdef" * 4,
            "data": {"sounds.csv": "fedcba9876543210" * 4, "images.csv": "0" * 64},
            "seed": 1,
            "how": {"draws": 200, "seed": 1, "level": 0.95},
            "scale": {},
            "date": "2026-01-01",
            "machine": "x86_64, 2 cores, no GPU used, Python 3.11.7",
        },
        "parts": {name: {"seconds": 60.0, "measured": of} for name, of in measured().items()},
    }


@pytest.fixture
def figures() -> Json:
    """Every part, with numbers that nobody measured."""
    return made_up()


def part_of(page: str, title: str) -> str:
    """Return the section whose heading begins with ``title``."""
    return next(part for part in page.split("\n## ") if part.startswith(title))


def test_every_table_of_the_paper_is_on_the_page_with_every_row(figures: Json) -> None:
    page = write_page(figures)
    for table in TABLES:
        section = next(part for part in page.split("\n## ") if f"Table {table.number}:" in part)
        assert section
        for name, scores in table.rows.items():
            whole = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
            assert any(f"{scores[0]:.3f}" in line or "| 0 |" in line for line in whole), name
    for number_of in (2, 7, 8):
        assert f"\n## Table {number_of}:" in page


def test_the_page_holds_our_numbers_and_no_machine_path(figures: Json) -> None:
    page = write_page(figures)
    single = part_of(page, "Table 1: single")
    assert "| **ours, from pictures** | 96 | 40.0 (38.0 to 42.0) |" in single
    assert "| by chance |" in single
    assert "Not measured: V-FAD: needs VGGish" in single
    assert "/work" not in page
    assert "None" not in page
    assert not re.search(r"\bnan\b", page)


def line_of(part: str, begin: str) -> str:
    """Return the line of a table that begins so."""
    return next(line for line in part.splitlines() if line.startswith(f"| {begin}"))


def test_directions_are_told_apart(figures: Json) -> None:
    page = write_page(figures)
    single, multi = part_of(page, "Table 1: single"), part_of(page, "Table 1: multi")
    better = line_of(single, "VGG-SS SSMS: SSV2A (4.936) > V2A-Mapper (4.488)")
    assert better.endswith("| **shows** |")
    worse = line_of(multi, "VGG-SS SSMS: SSV2A (5.973) > V2A-Mapper (4.684)")
    assert worse.endswith("| **the other way round** |")
    near = line_of(multi, "VGG-SS SSMS: Oracle (6.447) > SSV2A (5.973)")
    assert near.endswith("| not decided: intervals overlap |")
    short = part_of(page, "In short")
    assert line_of(
        short, "Table 1: multi-source generation | VGG-SS SSMS: SSV2A (5.973) > V2A-Mapper (4.684)"
    )


def test_the_ablations_say_where_the_paper_is_not_found_again(figures: Json) -> None:
    page = part_of(write_page(figures), "Table 5")
    assert "shows" in line_of(page, "single SSMS: 0.35 (4.936) > 0 (1.149)")
    assert "not decided" in line_of(page, "single SSMS: 0.35 (4.936) > 0.65 (4.356)")
    assert "other way round" in line_of(page, "single SSMS: 0.35 (4.936) > 1 (4.075)")
    assert "of 12 directions 4 show here, 4 go the other way round and 4 are not decided." in page


def test_counts_in_short_are_those_of_the_sections(figures: Json) -> None:
    page = write_page(figures)
    last = line_of(part_of(page, "In short"), "**all**")
    counts = [int(cell.strip(" *")) for cell in last.split("|")[2:-1]]
    sections = page.split("\n## Table 1: single")[1]
    words = ("| **shows** |", "| **the other way round** |", "| not decided", "| not measured |")
    assert counts == [sections.count(word) for word in words]


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_is_not_there_is_said_and_the_rest_stands(figures: Json, name: str) -> None:
    for without in (copy.deepcopy(figures), copy.deepcopy(figures)):
        del without["parts"][name]
        page = write_page(without)
        assert f"`wildtrack evaluate --paper --part {name}` has not been run yet" in page


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_could_not_be_measured_gives_its_reason(figures: Json, name: str) -> None:
    figures["parts"][name]["measured"] = {"why": "there is a reason."}
    assert "Not measured: there is a reason." in write_page(figures)


def test_one_seed_decides_nothing(figures: Json) -> None:
    assert over_seeds({"mean": 1.0, "std": 0.0, "seeds": [1.0]}) is None
    found = over_seeds({"mean": 2.0, "std": 1.0, "seeds": [1.0, 2.0, 3.0]})
    assert found
    assert (found.low, found.high) == pytest.approx((2 - 2.484, 2 + 2.484), abs=1e-3)


def test_outcomes_by_hand() -> None:
    low, high, wide = Interval(1, 0, 2), Interval(5, 4, 6), Interval(3, 1, 5)
    assert outcome_of(True, high, low) == "shows"
    assert outcome_of(True, low, high) == "other way"
    assert outcome_of(False, low, high) == "shows"
    assert outcome_of(False, low, wide) == "open"
    assert outcome_of(False, low, None) == "not measured"


def test_a_finding_is_read_from_the_paper_and_not_typed() -> None:
    found = finding(MASK, "single V-FAD", "0.35", "0")
    assert found.values == (2.815, 13.612)
    assert not found.is_higher
    verdict = judge(found, "Fréchet", (Side("0.35", None), Side("0", None)))
    assert verdict.cells == ("single V-FAD: 0.35 (2.815) < 0 (13.612)", "–", "not measured")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (0.1234, "0.123"), (12.3456, "12.3"), (123.456, "123"), (-0.05, "-0.050")],
)
def test_numbers_have_the_digits_that_they_need(value: float, text: str) -> None:
    assert number(value) == text


def test_an_interval_has_the_digits_of_its_largest_number() -> None:
    assert shown(Interval(9.5, 8.25, 10.75)) == "9.5 (8.2 to 10.8)"
    assert shown(Interval(-0.0001, -0.4, 0.2)) == "0.000 (-0.400 to 0.200)"
    assert shown(None) == "–"


def test_a_difference_that_may_be_nothing_is_not_decided() -> None:
    found = [
        against_zero(Interval(0.0, low, low + 0.2), "", is_gain=True) for low in (0.1, -0.1, -0.5)
    ]
    assert [verdict.outcome for verdict in found] == ["shows", "open", "other way"]
