"""The paper's tables as we hold them: whole, and at one with each other."""

from __future__ import annotations

import pytest

from engine.evaluation.paper_tables import (
    CONDITIONS,
    CYCLE_MIX,
    DEPTH,
    LAYERS,
    MASK,
    MULTI,
    SINGLE,
    TABLES,
    PaperTable,
)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_every_row_has_a_score_for_every_column(table: PaperTable) -> None:
    assert {len(scores) for scores in table.rows.values()} == {len(table.head)}


def test_the_chosen_setup_is_the_same_in_every_ablation() -> None:
    chosen = (*SINGLE.rows["SSV2A"][:4], *MULTI.rows["SSV2A"][:4])
    for table, name in (
        (CONDITIONS, "both"),
        (MASK, "0.35"),
        (CYCLE_MIX, "64 x 64"),
        (DEPTH, "B"),
        (LAYERS, "1"),
    ):
        assert table.rows[name] == chosen
