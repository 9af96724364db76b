"""WMAO by hand-made predictions, and the files it is read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation.offsets import Outputs, read_outputs, softmax, weighted_offset
from osc_bridge.errors import BadText, FileMissing, OutOfRange

GRID = np.round(np.linspace(-2, 2, 21), 1)


def test_the_first_prediction_alone_is_its_absolute_offset() -> None:
    of = Outputs(np.array([-1.0, 0.2, 0.6]), np.array([0.7, 0.2, 0.1]))
    assert weighted_offset(of, 1) == pytest.approx(1.0)


def test_predictions_are_weighted_by_their_confidence() -> None:
    """(0.6 x 1.0 + 0.2 x 0.2) / 0.8."""
    of = Outputs(np.array([-1.0, 0.2, 0.6, 2.0]), np.array([0.6, 0.2, 0.15, 0.05]))
    assert weighted_offset(of, 2) == pytest.approx(0.8)
    assert weighted_offset(of, 4) == pytest.approx(0.6 + 0.04 + 0.09 + 0.1)


def test_opposite_drifts_do_not_cancel() -> None:
    of = Outputs(np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
    assert weighted_offset(of, 2) == pytest.approx(1.0)


def test_knowing_nothing_gives_the_mean_of_the_grid() -> None:
    of = Outputs(GRID, np.full(21, 1 / 21))
    assert weighted_offset(of, 21) == pytest.approx(22 / 21)


def test_no_confidence_at_all_counts_evenly() -> None:
    assert weighted_offset(Outputs(np.array([1.0, 2.0]), np.zeros(2)), 2) == pytest.approx(1.5)


@pytest.mark.parametrize("top", [0, 3])
def test_more_predictions_than_there_are(top: int) -> None:
    with pytest.raises(OutOfRange, match="1 to 2"):
        weighted_offset(Outputs(np.array([0.0, 1.0]), np.array([0.5, 0.5])), top)


def test_logits_and_probabilities_of_one_video_say_the_same(tmp_path: Path) -> None:
    logits = np.array([0.3, -1.2, 2.0])
    for name, row in (("logits.csv", logits), ("shares.csv", softmax(logits))):
        (tmp_path / name).write_text(
            "name,-0.2,0.0,0.2\ndog," + ",".join(repr(float(v)) for v in row) + "\n"
        )
    found = [read_outputs(tmp_path / n)["dog"] for n in ("logits.csv", "shares.csv")]
    assert found[0].offsets_s.tolist() == [-0.2, 0.0, 0.2]
    assert found[0].probabilities == pytest.approx(found[1].probabilities)


def test_a_line_for_each_prediction_is_read_too(tmp_path: Path) -> None:
    table = tmp_path / "top.csv"
    table.write_text("name,offset_s,probability\ndog,0.4,0.6\ncat,-1,1\ndog,-2.0,0.2\n")
    found = read_outputs(table)
    assert weighted_offset(found["dog"], 2) == pytest.approx((0.24 + 0.4) / 0.8)
    assert weighted_offset(found["cat"], 1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with the columns|no rows"),
        ("name,0.0\n", "no rows"),
        ("video,0.0\na,1\n", "begins with the columns"),
        ("name,soon\na,1\n", "'soon' is no number"),
        ("name,0.0\na,nan\n", "'nan' is no number"),
        ("name,0.0,0.2\na,1\n", "'None' is no number"),
        ("name,offset_s,probability\na,99,0.5\n", "-60 to 60"),
        ("name,offset_s,probability\na,1,1.5\n", "-1 to 1"),
        ("name,offset_s,probability\na,1,-0.5\n", "outside 0 to 1"),
    ],
)
def test_a_bad_table_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(BadText, match=said):
        read_outputs(tmp_path / "bad.csv")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="Synchformer"):
        read_outputs(tmp_path / "none.csv")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"name,0.0\n\xff\xfe,1\n")
    with pytest.raises(BadText, match="UTF-8"):
        read_outputs(tmp_path / "bad.csv")
