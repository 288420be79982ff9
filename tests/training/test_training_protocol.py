"""Which subjects are trained on, choose the epoch and are held out: none is in two of these parts."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.maps import add_augmentation, small_maps

from stmap_pipeline.config import Config
from stmap_pipeline.errors import ConfigError, ShardError, StmapError, UnknownNameError
from stmap_pipeline.maps.example import example_result
from stmap_pipeline.shards import Shards
from stmap_pipeline.shards.example import example_maps
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.protocol import fit_settings, plan_protocol

SETTINGS = Config.from_mapping({"blocks": {"rows": 2, "cols": 2}, "windows": {"length": "60 frames", "step": "1 s"}})


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """Twelve subjects in three folds, with resampled windows."""
    root = tmp_path_factory.mktemp("protocol") / "maps"
    results = [
        example_result(f"p{one:03d}_v1", subject=f"p{one:03d}", fold=1 + one % 3, frames=240, heart_rate_bpm=55.0 + 4 * one)
        for one in range(1, 13)
    ]
    example_maps(root, results, SETTINGS)
    add_augmentation(root)
    return Shards(root)


def subjects(maps, protocol, part):
    return {maps.info(protocol.windows[one].recording_id).subject for one in part}


@given(
    protocol=st.sampled_from(["within", "holdout", "cross"]),
    augment=st.sampled_from(["plan", "none"]),
    validation_share=st.sampled_from([0.0, 0.1, 0.4]),
    seed=st.integers(0, 50),
)
def test_no_subject_is_in_two_parts_and_nothing_resampled_is_evaluated(maps, protocol, augment, validation_share, seed):
    config = TrainConfig(protocol=protocol, augment=augment, validation_share=validation_share, seed=seed)
    planned = plan_protocol(maps, config)
    everybody = {one.subject for one in maps.recordings()}
    held_out = []
    for split in planned.splits:
        parts = [subjects(maps, planned, part) for part in (split.training, split.validation, split.evaluation)]
        assert set.union(*parts) == everybody
        assert sum(map(len, parts)) == len(everybody)
        assert not any(planned.windows[one].augmented for part in (split.validation, split.evaluation) for one in part)
        assert any(planned.windows[one].augmented for one in split.training) == (augment == "plan")
        assert bool(parts[1]) == (validation_share > 0)
        held_out.append(parts[2])
    assert [one.fold for one in planned.splits] == ([1, 2, 3] if protocol == "within" else [0])
    if protocol == "within":
        assert set.union(*held_out) == everybody
        # the reader's own choice for a fold
        for split in planned.splits:
            windows = [planned.windows[one] for one in split.evaluation]
            assert windows == maps.split(fold=split.fold).evaluation
    elif protocol == "cross":
        assert held_out == [set()]
    else:
        assert len(held_out[0]) == round(0.2 * len(everybody))


def test_a_seed_decides_which_subjects_are_held_out(maps):
    def held_out(seed):
        planned = plan_protocol(maps, TrainConfig(protocol="holdout", seed=seed))
        return subjects(maps, planned, planned.splits[0].evaluation)

    assert held_out(3) == held_out(3)
    assert len({frozenset(held_out(seed)) for seed in range(8)}) > 1


def test_only_windows_with_a_label_and_a_known_face_are_used(tmp_path):
    lost = example_result("p001_v1", frames=240, lost=slice(100, 110))
    no_label = dataclasses.replace(example_result("p002_v1", subject="p002", fold=2, frames=240), heart_rate=None)
    whole = example_result("p003_v1", subject="p003", fold=2, frames=240)
    maps = Shards(example_maps(tmp_path / "maps", [lost, no_label, whole], SETTINGS))
    planned = plan_protocol(maps, TrainConfig(validation_share=0))
    assert {one.recording_id for one in planned.windows} == {"p001_v1", "p003_v1"}
    assert min(one.valid_fraction for one in planned.windows) == 1
    more = plan_protocol(maps, TrainConfig(validation_share=0, min_valid_fraction=0.5))
    assert len(more.windows) > len(planned.windows)


def test_folds_that_are_not_there_or_make_no_sense_are_refused(maps):
    with pytest.raises(UnknownNameError, match=r"7, 9 \(folds: 1, 2, 3\)"):
        plan_protocol(maps, TrainConfig(), folds=(1, 9, 7))
    with pytest.raises(ConfigError, match="leave out --fold, or train with --protocol within"):
        plan_protocol(maps, TrainConfig(protocol="cross"), folds=(1,))
    assert [one.fold for one in plan_protocol(maps, TrainConfig(), folds=(3, 1, 3)).splits] == [1, 3]


def test_maps_without_what_the_protocol_needs_are_refused(tmp_path):
    one = example_result("p001_v1", frames=120, fold=None)
    maps = Shards(example_maps(tmp_path / "one", [one], SETTINGS))
    with pytest.raises(ShardError, match="no official folds; --protocol cross trains on its only subject"):
        plan_protocol(maps, TrainConfig())
    with pytest.raises(ConfigError, match="one subject, whom a holdout cannot spare; --protocol cross"):
        plan_protocol(maps, TrainConfig(protocol="holdout"))
    with pytest.raises(ConfigError, match=r"1 subject to train on cannot spare 1 .*; --validation-share 0"):
        plan_protocol(maps, TrainConfig(protocol="cross"))
    with pytest.raises(ShardError, match=f"stmap augment {maps.root} --balance"):
        plan_protocol(maps, TrainConfig(protocol="cross", augment="plan"))
    only_one_fold = Shards(example_maps(tmp_path / "fold", [example_result("p001_v1", frames=120)], SETTINGS))
    with pytest.raises(ConfigError, match="fold 1 "):
        plan_protocol(only_one_fold, TrainConfig())


def test_maps_without_labels_or_faces_say_what_is_missing(tmp_path):
    bare = dataclasses.replace(example_result("p001_v1", frames=120), heart_rate=None)
    with pytest.raises(ShardError, match="none of 3 windows has a heart rate"):
        plan_protocol(Shards(example_maps(tmp_path / "bare", [bare], SETTINGS)), TrainConfig())
    gone = [example_result(f"p00{one}_v1", subject=f"p00{one}", fold=one, frames=60, lost=slice(20, 40)) for one in (1, 2)]
    with pytest.raises(ShardError, match=r"2 windows .* known face in 100%"):
        plan_protocol(Shards(example_maps(tmp_path / "gone", gone, SETTINGS)), TrainConfig())


def test_small_maps_of_other_tests_have_two_folds(tmp_path):
    assert [one.fold for one in plan_protocol(Shards(small_maps(tmp_path / "maps")), TrainConfig()).splits] == [1, 2]


def without_folds(root, count=1):
    results = [example_result(f"p{one}_v1", subject=f"p{one}", fold=None, frames=240) for one in range(count)]
    return Shards(example_maps(root, results, SETTINGS))


def test_the_first_advice_on_one_subject_works(tmp_path):
    maps = without_folds(tmp_path / "maps")
    for protocol in ("within", "holdout"):
        settings, notes = fit_settings(maps, {"protocol": protocol})
        with pytest.raises(StmapError, match="--protocol cross trains on its only subject"):
            plan_protocol(maps, TrainConfig.from_mapping(settings))
    settings, notes = fit_settings(maps, {"protocol": "cross"})
    assert settings["validation_share"] == 0
    assert [one for one in notes if one.startswith("the last epoch is taken")]
    [split] = plan_protocol(maps, TrainConfig.from_mapping(settings)).splits
    assert (len(split.training), len(split.validation), len(split.evaluation)) == (len(maps.windows()), 0, 0)


@pytest.mark.parametrize("given", [{}, {"protocol": "cross"}, {"holdout_share": 0.7}])
def test_the_settings_that_are_chosen_can_be_trained_with(tmp_path, given):
    for count in (2, 3, 4):
        maps = without_folds(tmp_path / f"maps{count}", count)
        settings, _ = fit_settings(maps, given)
        assert all(len(one.training) for one in plan_protocol(maps, TrainConfig.from_mapping(settings)).splits)


def test_folds_that_are_not_there_are_answered_with_what_to_do(tmp_path):
    two = without_folds(tmp_path / "two", 2)
    for protocol in ("holdout", "within", "cross"):
        with pytest.raises(ShardError, match="no official folds; leave out --fold; --protocol holdout holds out"):
            plan_protocol(two, TrainConfig(protocol=protocol), [3])
    with pytest.raises(ShardError, match="no official folds; --protocol holdout holds out a share of its 2 subjects"):
        plan_protocol(two, TrainConfig())
    with pytest.raises(ConfigError, match=r"a holdout of 0\.9 of 2 subjects leaves none to train on"):
        plan_protocol(two, TrainConfig(protocol="holdout", holdout_share=0.9))
