"""Figures of others: what is remembered is never given out as read, and what is given belongs together."""

from __future__ import annotations

import math

import pytest

from stmap_pipeline.evaluation import BANDS
from stmap_pipeline.report.published import PUBLISHED, RECALLED, Published, published_for


def test_each_row_is_either_recalled_or_has_a_source():
    assert {one.verified for one in PUBLISHED} == {True, False}
    for one in PUBLISHED:
        assert one.verified == (one.source != RECALLED)
        assert one.source
        assert one.brief


def test_a_row_cannot_be_both():
    for source, verified in (("a table", False), (RECALLED, True)):
        with pytest.raises(ValueError, match="not verified"):
            Published("one", "vipl-hr", "vipl-hr", source, verified)


def test_the_paper_itself_could_not_be_read():
    assert [one.verified for one in PUBLISHED if "FG 2019" in one.method] == [False, False]


@pytest.mark.parametrize(
    "one", [one for one in PUBLISHED if not math.isnan(one.me_bpm)], ids=lambda one: f"{one.method} {one.tested_on}"
)
def test_errors_of_one_list_fulfill_the_identity_where_the_source_does(one):
    # two rows on MMSE-HR were copied from papers with other numbers of videos, and do not
    gap = abs(math.hypot(one.me_bpm, one.sd_bpm) - one.rmse_bpm)
    copied = one.tested_on == "mmse-hr" and one.method.startswith(("Li", "SAMC"))
    # on MMSE-HR, SD divides by one less than 102 videos
    assert (gap > 1) if copied else (gap < 0.06)


def test_bands_are_ours():
    [one] = [one for one in PUBLISHED if one.by_band]
    assert tuple(one.by_band) == BANDS


def test_databases_without_a_table_have_none():
    assert published_for("mmse-hr", "vipl-hr") == []
    assert published_for("vipl-hr", "vipl-hr")
