"""The report of runs: its numbers are those of the evaluations, and nobody can take them for what they are not."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, root_mean_squared_error
from support.maps import folded_maps
from support.pages import Page
from support.runs import ERRORS_BPM, balanced_maps, evaluated, four_cells, renamed_database

from stmap_pipeline.errors import ModelError, OutputError
from stmap_pipeline.evaluation import Difference, Interval, read_evaluation, read_videos, score
from stmap_pipeline.evaluation.example import example_run
from stmap_pipeline.evaluation.result import ScoreRow
from stmap_pipeline.report import write_runs_report
from stmap_pipeline.report.runs import Evaluated, Predictor
from stmap_pipeline.report.runs_tables import Effect
from stmap_pipeline.report.tables import UNKNOWN
from stmap_pipeline.shards import Shards, read_table, write_table
from stmap_pipeline.training.config import TrainConfig
from stmap_pipeline.training.protocol import number_range, plan_protocol
from stmap_pipeline.training.run_folder import HISTORY

pytest.importorskip("jinja2", reason="a report needs the extra 'plot'")

NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    return balanced_maps(tmp_path_factory.mktemp("maps") / "maps")


@pytest.fixture(scope="module")
def cells(maps, tmp_path_factory):
    return four_cells(tmp_path_factory.mktemp("cells"), maps)


@pytest.fixture
def run(cells, tmp_path):
    return shutil.copytree(cells[0], tmp_path / "run")


def page_of(tmp_path, runs, **more):
    return Page(write_runs_report(runs, tmp_path / "report.html", **more).read_text("utf-8"))


def number(cell):
    return float(NUMBER.match(cell.replace("\N{MINUS SIGN}", "-")).group())


def is_published(row):
    return ", published" in row[0]


def test_simulated_rows_beside_published_ones_are_marked_once_and_other_tables_at_their_title(tmp_path, cells):
    page = page_of(tmp_path, cells, simulated=True)
    beside = {name: rows for name, rows in page.tables.items() if any(is_published(row) for row in rows)}
    assert set(beside) == {"within", "bands"}
    for name, rows in beside.items():
        ours = [row for row in rows[1:] if not is_published(row)]
        assert len(ours) >= 8, name
        for row in ours:
            assert row[0].endswith(" simulated"), row
            assert not any("simulated" in cell for cell in row[1:]), row
        assert not any("simulated" in cell for row in rows if is_published(row) for cell in row)
        assert "simulated" not in page.captions[name]
    for name, rows in page.tables.items():
        if name not in beside:
            assert page.captions[name].count("simulated") == 1, name
            assert not any("simulated" in cell for row in rows for cell in row if name != "runs"), name


def test_one_simulated_run_among_real_ones_keeps_its_mark(tmp_path, maps, cells):
    real = renamed_database(shutil.copytree(cells[0], tmp_path / "real"), "vipl-hr")
    drawn = renamed_database(shutil.copytree(cells[2], tmp_path / "drawn"), "vipl-hr", simulated=True)
    page = page_of(tmp_path, [real, drawn])
    tables = [rows for name, rows in page.tables.items() if name.startswith("within")]
    assert len(tables) == 2
    marked = [all("simulated" in row[0] for row in rows[1:] if not is_published(row)) for rows in tables]
    assert sorted(marked) == [False, True]
    titles = [number for number, text in enumerate(page.texts) if text.startswith("Bland-Altman")]
    assert sorted(page.texts[number + 1] for number in titles)[-1] == "simulated"
    assert "not compared" not in page.text


def test_trained_on_simulated_and_tested_on_people_is_said_in_the_row(tmp_path, run):
    renamed_database(run, "vipl-hr")
    content = json.loads((run / "evaluation.json").read_text())
    content["run"]["simulated"] = True
    (run / "evaluation.json").write_text(json.dumps(content))
    page = page_of(tmp_path, [run])
    assert page.row("within", "attention-resnet18")[0].endswith(" trained on simulated")
    assert page.row("within", "constant: mean rate of the training")[0].endswith(" trained on simulated")
    assert page.row("within", "POS", whole=True)


def test_what_is_only_recalled_says_so_in_its_row_and_the_rest_names_its_source(tmp_path, run):
    page = page_of(tmp_path, [renamed_database(run, "vipl-hr")])
    assert "simulated" not in page.text
    row = page.row("within", "Niu et al. (FG 2019)")
    assert row[-1] == "as recalled, unverified"
    assert row[0].endswith(", published unverified")
    assert page.row("within", "CHROM (2013)")[0] == "CHROM (2013), published"
    assert page.row("within", "CHROM (2013)")[4:] == ["11.4", "16.9", UNKNOWN, "0.28", "RS-rPPG, table I"]
    assert page.row("within", "RhythmMamba")[2:4] == ["+1.50", "7.33"]
    assert "computed from published per-video results" in page.text
    assert page.row("bands", "RhythmMamba")[1:-1] == ["6.6", "4.6", "3.3", "3.7", "13.1"]


def test_without_a_published_table_of_the_database_none_is_shown(tmp_path, cells):
    page = page_of(tmp_path, cells)
    assert not any(is_published(row) for rows in page.tables.values() for row in rows)


def test_the_numbers_of_a_run_are_those_of_a_reference_implementation(tmp_path, run):
    videos = read_videos(run / "videos.csv")
    write_runs_report([run], tmp_path / "a.json", "json")
    rows = json.loads((tmp_path / "a.json").read_text())["tables"]["scores"]["rows"]
    for method, column in (("network", "predicted_bpm"), ("constant", "constant_bpm"), ("pos", "pos_bpm")):
        true, said = np.array([(one.true_bpm, getattr(one, column)) for one in videos]).T
        [row] = [one for one in rows if (one["method"], one["group"], one["of"]) == (method, "all", "videos")]
        assert row["mae_bpm"] == pytest.approx(mean_absolute_error(true, said), abs=1e-9)
        assert row["rmse_bpm"] == pytest.approx(root_mean_squared_error(true, said), abs=1e-9)
        assert row["mer_percent"] == pytest.approx(100 * mean_absolute_percentage_error(true, said), abs=1e-9)
        assert row["r"] == pytest.approx(pearsonr(true, said).statistic, abs=1e-9)
    cell = page_of(tmp_path, [run]).row("within", "attention-resnet18")
    [row] = [one for one in rows if (one["method"], one["group"], one["of"]) == ("network", "all", "videos")]
    assert [number(one) for one in cell[2:8]] == [
        round(row[name], 2) for name in ("me_bpm", "sd_bpm", "mae_bpm", "rmse_bpm", "mer_percent", "r")
    ]
    assert f"[{row['mae_bpm_low']:.2f}, {row['mae_bpm_high']:.2f}]" in cell[4]


def test_the_numbers_on_the_page_fulfill_the_identity_of_errors(tmp_path, cells):
    # one seed: means over seeds fulfill it only nearly
    page = page_of(tmp_path, cells[::2])
    rows = [row for row in page.tables["within"][1:] if not is_published(row)]
    assert len(rows) == len(ERRORS_BPM) + 4
    for row in rows:
        me, sd, _, rmse = (number(cell) for cell in row[2:6])
        # half of the last digit of each of the three
        assert abs(rmse**2 - me**2 - sd**2) <= 0.005 * 2 * (rmse + abs(me) + sd) + 1e-4, row


def test_several_seeds_are_a_mean_with_its_spread(tmp_path, cells):
    page = page_of(tmp_path, cells)
    values = [read_evaluation(one).score("network").mae_bpm.value for one in cells[:2]]
    expected = f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"
    assert page.row("within", "attention-resnet18, with resampled windows (2 seeds)")[4] == expected
    assert page.row("ablation", "attention-resnet18")[2].startswith(expected + ", RMSE ")
    assert [row[0] for row in page.tables["ablation"]] == ["network", "attention-resnet18", "resnet18"]


def test_a_cell_that_was_not_trained_is_a_dash(tmp_path, cells):
    page = page_of(tmp_path, cells[:3:2] + cells[6:7])
    assert page.tables["ablation"][2][2] == UNKNOWN


def test_the_effect_of_an_idea_is_told_on_the_same_videos(tmp_path, cells):
    page = page_of(tmp_path, cells)
    attention = [row for row in page.tables["effect_attention"] if row[1] == "any rate"]
    assert [row[0] for row in attention] == [
        "attention (attention-resnet18), trained on resampled windows, too",
        "attention (attention-resnet18), trained on windows as recorded",
    ]
    for row, (with_it, without) in zip(attention, [(0, 4), (2, 6)], strict=True):
        errors = [
            np.mean([read_evaluation(one).score("network").mae_bpm.value for one in cells[first : first + 2]])
            for first in (without, with_it)
        ]
        assert [number(cell) for cell in row[3:6]] == [round(errors[0], 2), round(errors[1], 2), round(errors[1] - errors[0], 2)]
        # eight videos of four people prove nothing
        assert row[6] == "too few videos"
    assert len(page.tables["effect_augmentation"]) == 1 + 2 * 6


def test_runs_of_other_settings_are_not_taken_for_seeds_of_one_another(tmp_path, maps, cells):
    longer = tmp_path / "longer"
    example_run(longer, maps, config=TrainConfig(network="attention-resnet18", augment="plan", epochs=80, validation_share=0))
    page = page_of(tmp_path, [cells[0], evaluated(longer, maps, cells[0])])
    assert page.row("within", "attention-resnet18, with resampled windows, epochs 50")
    assert page.row("within", "attention-resnet18, with resampled windows, epochs 80")
    assert page.tables.get("effect_attention") is None


def test_another_database_stands_in_a_table_of_its_own(tmp_path, run, maps):
    on = shutil.copytree(run, tmp_path / "other")
    content = json.loads((on / "evaluation.json").read_text())
    content |= {"held_out": False, "folds": [0], "simulated": True}
    content["maps"] |= {"name": "mm <b>", "database": "mmse-hr", "traces_sha256": "0" * 64}
    (on / "evaluation.json").write_text(json.dumps(content))
    shutil.move(on, renamed_database(run, "vipl-hr") / "on-mm")
    page = page_of(tmp_path, [run])
    assert page.row("cross", "attention-resnet18")[0].endswith(" simulated")
    assert page.row("cross", "Niu et al. (FG 2019)")[5] == "10.10"
    assert "trained on vipl-hr, tested on mmse-hr (mm <b>)" in page.text


def test_changed_numbers_are_refused(tmp_path, run):
    content = json.loads((run / "evaluation.json").read_text())
    content["rows"][0]["score"]["sd_bpm"]["value"] += 1
    (run / "evaluation.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"RMSE \d.* ME -?\d.* SD \d.*; run stmap evaluate again"):
        write_runs_report([run], tmp_path / "report.html")


def test_videos_of_another_evaluation_are_refused(tmp_path, run, cells):
    shutil.copy(cells[-1] / "videos.csv", run / "videos.csv")
    with pytest.raises(ModelError, match=r"evaluation\.json and videos\.csv .* network \("):
        write_runs_report([run], tmp_path / "report.html")


def test_an_unfinished_run_and_one_that_is_not_evaluated_are_named(tmp_path, run, maps):
    (run / "run.json").unlink()
    plain = example_run(tmp_path / "plain", maps)[0]
    page = page_of(tmp_path, [run, plain])
    assert f"{run} is not finished (0 folds are trained); stmap train with --resume continues it" in page.text
    assert f"{plain} is not evaluated; stmap evaluate {plain} MAPS" in page.text
    assert page.row("within", "attention-resnet18, with resampled windows")


def test_a_run_that_held_out_nobody_makes_a_page_that_says_so(tmp_path, maps):
    run = example_run(
        tmp_path / "run", maps, config=TrainConfig(network="attention-resnet18", protocol="cross", validation_share=0)
    )[0]
    page = page_of(tmp_path, [evaluated(run, maps)])
    for sentence in (
        "no subject was held out, and it was not tested on another database",
        "No run has evaluated subjects that it held out.",
        "No run was evaluated on other maps.",
        "There is nothing to compare",
        "There is no pair of estimate and truth.",
    ):
        assert sentence in page.text
    for kind, name in (("json", "a.json"), ("latex", "a.tex"), ("csv", "tables")):
        write_runs_report([run], tmp_path / name, kind)


def test_videos_without_labels_make_a_page_that_says_so(tmp_path, run):
    content = json.loads((run / "evaluation.json").read_text())
    (run / "evaluation.json").write_text(json.dumps(content | {"rows": [], "unlabeled_videos": content["videos"]}))
    page = page_of(tmp_path, [run])
    assert "has no error: no video that it held out has a heart rate" in page.text
    assert "within" not in page.tables


def test_a_single_fold_of_one_person_has_a_page(tmp_path, maps):
    one = folded_maps(tmp_path / "one")
    config = TrainConfig(network="attention-resnet18", validation_share=0, protocol="holdout", holdout_share=0.2)
    page = page_of(tmp_path, [evaluated(example_run(tmp_path / "run", one, config=config)[0], one)])
    assert page.row("within", "attention-resnet18, as recorded")[1] == "2"
    assert "too few for an interval" in page.text


def test_files_for_programs_keep_ours_and_published_apart(tmp_path, cells):
    write_runs_report(cells, tmp_path / "tables", "csv", simulated=True)
    scores = read_table(tmp_path / "tables/scores.csv")
    assert {one["simulated"] for one in scores} == {"simulated"}
    assert len({one["run"] for one in scores}) == len(cells)
    published = read_table(tmp_path / "tables/published.csv")
    assert {one["verified"] for one in published} == {"yes", "no: as recalled, unverified"}
    assert all((one["source"] == "as recalled, unverified") == (one["verified"] != "yes") for one in published)
    assert json.loads((tmp_path / "tables/about.json").read_text())["simulated"] is True


def test_tables_for_a_paper_say_simulated_in_the_row(tmp_path, cells):
    text = write_runs_report(cells, tmp_path / "a.tex", "latex", simulated=True).read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("attention-resnet18, with resampled windows (2 seeds)")]
    assert len(rows) == 1
    assert rows[0].count("(simulated)") == 1
    assert "published (unverified)" in text
    assert r"\caption{Attention and resampled windows (simulated)}" in text


def test_each_id_is_given_once_and_a_folder_of_runs_stands_for_them(tmp_path, cells, maps):
    page = page_of(tmp_path, [cells[0].parent, cells[0]], maps=[maps])
    assert len(page.ids) == len(set(page.ids))
    assert len(page.tables["runs"]) == 1 + len(cells)


def test_what_is_no_run_and_outputs_in_the_way_are_refused(tmp_path, cells, maps):
    with pytest.raises(ModelError, match=f"{tmp_path}: "):
        write_runs_report([tmp_path], tmp_path / "report.html")
    with pytest.raises(OutputError, match=str(maps)):
        write_runs_report(cells, maps / "report.html", maps=[maps])
    with pytest.raises(OutputError, match=f"{cells[0]}: .*beside"):
        write_runs_report(cells, cells[0], "csv")
    assert not (tmp_path / "report.html").exists()


def test_the_methods_are_those_of_the_settings(tmp_path, cells, maps):
    page = page_of(tmp_path, cells, maps=[maps], command="stmap report <runs>")
    assert "attention-resnet18 on windows as recorded and those resampled in time (protocol within, seeds 0 1)" in page.text
    protocol = plan_protocol(Shards(maps), TrainConfig(augment="plan", validation_share=0))
    counts = [protocol.count_training(one) for one in protocol.splits]
    recorded, resampled = (number_range([one[part] for one in counts]) for part in (0, 1))
    assert "windows resampled in time were added to" in page.text
    assert f"A network was trained on {resampled} of the resampled ones and {recorded} as recorded" in page.text
    assert "command of this report stmap report <runs>" in page.text
    assert "@inproceedings{niu2019fg" in page.text


def test_a_damaged_history_is_named(tmp_path, run):
    (run / "fold1").mkdir()
    write_table(run / "fold1/history.csv", HISTORY[:2], [{"epoch": 1, "step": 2}])
    with pytest.raises(ModelError, match=r"fold1/history\.csv: .*columns"):
        write_runs_report([run], tmp_path / "report.html")


def test_the_page_of_the_same_results_has_the_same_bytes_whatever_time_the_training_took(tmp_path, run):
    first = write_runs_report([run], tmp_path / "report.html").read_bytes()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"seconds": 1e6}))
    assert write_runs_report([run], tmp_path / "report.html").read_bytes() == first


@pytest.mark.parametrize(("error_bpm", "tone"), [(60.0, "bad"), (1.0, "")])
def test_a_network_that_a_constant_beats_is_never_green_and_few_videos_prove_nothing(tmp_path, maps, error_bpm, tone):
    run = example_run(
        tmp_path / "run", maps, config=TrainConfig(network="attention-resnet18", validation_share=0), error_bpm=error_bpm
    )[0]
    page = write_runs_report([evaluated(run, maps)], tmp_path / "report.html").read_text("utf-8")
    (found,) = re.findall(r'<div(?: class="(\w+)")?><dt>smallest MAE of a network: ', page)
    assert found == tone
    assert ('<tr class="bad"><th scope="row">attention-resnet18' in page) == (tone == "bad")
    assert '<tr class="good">' not in page


def predictor(run, error_bpm, *, videos=40, lost=0, seeds=1):
    """A network that errs so much on recordings of many rates, of which it leaves out some."""
    true = 40.0 + 2.0 * np.arange(videos)
    names = [f"p{one}" for one in range(videos)]
    found = true + error_bpm
    found[:lost] = np.nan
    rows = [
        ScoreRow("videos", method, "all", "", score(said, true, names))
        for method, said in (("network", found), ("constant", np.full(videos, true.mean())))
    ]
    tested = Evaluated(run, replace(read_evaluation(run), rows=rows), [], simulated=False)
    return Predictor("one", [tested] * seeds, "network")


def test_green_needs_more_videos_and_a_clearer_error_than_chance_would_give(cells):
    run = cells[0]
    assert predictor(run, 2.0).tone == "good"
    assert predictor(run, 2.0, seeds=3).tone == "good"
    assert predictor(run, 2.0, videos=9).tone == ""
    # leaving out hard videos is no way to be green
    assert predictor(run, 2.0, lost=1).tone == ""
    # the constant errs by 20 bpm on these
    assert predictor(run, 20.0).tone == "bad"
    assert predictor(run, np.nan).tone == ""


def test_an_idea_that_helps_and_still_errs_as_much_as_the_constant_is_not_said_to_help_alone():
    both = Difference("all", "", 50, 0, 12.0, 9.0, Interval(-3.0, -4.0, -2.0))
    assert Effect("attention", "attention", both, "", 9.5).verdict == "helps"
    assert Effect("attention", "attention", both, "", 8.5).verdict == "helps, but no better than the constant"
