"""Training and evaluation never share a person, and nothing resampled is ever evaluated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.maps import OPTIONS, add_augmentation, small_maps

from stmap_pipeline.balance import normalized_entropy
from stmap_pipeline.errors import ShardError, UnknownNameError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return Shards(add_augmentation(small_maps(tmp_path_factory.mktemp("split") / "maps")))


@given(st.data())
def test_a_split_of_an_augmented_build_leaks_nothing(shards, data):
    by_fold = data.draw(st.booleans())
    held = data.draw(
        st.sets(st.sampled_from([1, 2]), min_size=1)
        if by_fold
        else st.sets(st.sampled_from(["p001", "p002", "p003", "p004"]), min_size=1)
    )
    split = shards.split(**{"fold" if by_fold else "subject": held})
    owner = {one.recording_id: one.subject for one in shards.recordings()}
    fold = {one.subject: one.fold for one in shards.recordings()}
    training, evaluation = ({owner[one.recording_id] for one in side} for side in split)
    assert training.isdisjoint(evaluation)
    assert training | evaluation == set(fold)
    assert evaluation == {one for one in fold if (fold[one] if by_fold else one) in held}
    assert not any(one.augmented for one in split.evaluation)
    assert {one.fold for one in split.training} <= ({1, 2} - held if by_fold else {1, 2})
    if training:
        assert any(one.augmented for one in split.training)
    for one in split.training:
        assert one.fold == fold[owner[one.recording_id]]


def test_a_single_name_is_as_good_as_a_set(shards):
    assert shards.split(fold=1) == shards.split(fold={1})
    assert shards.split(subject="p003") == shards.split(subject=["p003"])
    assert len(shards.split(fold=1).evaluation) == len(shards.windows(fold=1))
    # numbers as they come from an array
    assert shards.split(fold=np.int64(1)) == shards.split(fold=np.array([1])) == shards.split(fold=1)
    assert shards.windows(fold=np.int64(1)) == shards.windows(fold=[1]) == shards.windows(fold=1)
    assert shards.split(fold=np.array([1, 2])) == shards.split(fold=[1, 2])
    assert shards.recordings(subject=np.str_("p003")) == shards.recordings(subject="p003")


def test_resampled_windows_are_trained_on_only_if_wanted(shards):
    both, recorded = shards.split(fold=1), shards.split(fold=1, augmented=False)
    assert both.evaluation == recorded.evaluation
    assert recorded.training == [one for one in both.training if not one.augmented] != both.training


def test_only_labeled_and_seen_windows_are_split(tmp_path):
    lost = example_result("p001_v1", frames=150, lost=slice(0, 40))
    maps = Shards(example_maps(tmp_path, [lost, example_result("p002_v1", subject="p002", fold=2, frames=150)]))
    every, seen = maps.split(fold=2, min_valid_fraction=0.0), maps.split(fold=2)
    assert len(every.training) > len(seen.training)
    assert all(one.valid_fraction == 1 for one in seen.training)


@pytest.mark.parametrize(
    ("choice", "error", "text"),
    [
        ({}, ValueError, "by fold or by subject"),
        ({"fold": 1, "subject": "p001"}, ValueError, "by fold or by subject"),
        ({"fold": 3}, UnknownNameError, r"fold 3 \(folds: 1, 2\)"),
        ({"fold": [1, 0]}, UnknownNameError, "fold 0 "),
        ({"fold": []}, UnknownNameError, "fold"),
        ({"subject": ["p001", "p009"]}, UnknownNameError, "p009"),
        ({"subject": []}, UnknownNameError, "subject"),
    ],
)
def test_a_split_by_what_is_not_there_is_refused(shards, choice, error, text):
    with pytest.raises(error, match=text):
        shards.split(**choice)


def test_without_folds_a_split_is_by_subject(tmp_path):
    maps = Shards(example_maps(tmp_path, [example_result("p001_v1", fold=None, frames=150)]))
    with pytest.raises(ShardError, match="split by subject"):
        maps.split(fold=1)
    assert len(maps.split(subject="p001").evaluation) == len(maps.windows())


def test_balancing_makes_each_training_set_flatter(shards):
    for fold in (1, 2):
        training = shards.split(fold=fold).training
        rates = {flag: [one.heart_rate_bpm for one in training if flag or not one.augmented] for flag in (False, True)}
        before, after = (normalized_entropy(OPTIONS.bins.count(np.array(rates[flag]))) for flag in (False, True))
        assert after > before + 0.1
