"""The second half of `stmap demo`: balance, train for a moment, report."""

from __future__ import annotations

import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stmap_cli import evaluate as evaluate_command
from stmap_cli import report as report_command
from stmap_cli import train as train_command
from stmap_cli.console import say

if TYPE_CHECKING:
    from rich.console import Console

# as many as show the way; a network that is any good takes fifty and a hundred persons
EPOCHS = 2


def run(maps: Path, out: Path, jobs: int, screen: Console) -> list[Path]:
    """Do what the installed extras allow, and give the reports."""
    _balance(maps, screen)
    reports = []
    trained = _train(maps, out / "run", screen)
    if find_spec("jinja2") is None:
        say(screen, '6  no report: the templates are not installed; pip install "stmap[plot]"')
        return []
    say(screen, f"6  report: {shlex.join(['stmap', 'report', str(maps)])}")
    page = out / "report-maps.html"
    report_command.report_maps(maps, page, "html", screen, jobs=jobs)
    reports.append(page)
    if trained:
        page = out / "report-run.html"
        report_command.report_runs([out / "run"], page, "html", maps=[maps])
        reports.append(page)
    return reports


def _balance(maps: Path, screen: Console) -> None:
    from stmap_pipeline.balance import BalanceOptions
    from stmap_pipeline.errors import StmapError
    from stmap_pipeline.shards import Shards, plan_augmentation, write_augmentation

    say(screen, f"4  balance rare heart rates: {shlex.join(['stmap', 'augment', str(maps), '--balance'])}")
    try:
        shards = Shards(maps)
        plan = plan_augmentation(shards, BalanceOptions())
    except StmapError as error:
        # videos shorter than a window
        say(screen, f"   nothing is added: {error}")
        return
    write_augmentation(shards, plan)
    say(screen, f"   {len(plan.windows)} windows resampled in time are added for training")


def _train(maps: Path, folder: Path, screen: Console) -> bool:
    if any(find_spec(name) is None for name in ("torch", "safetensors", "tensorboard")):
        say(screen, '5  no training: torch is not installed; pip install "stmap[train]" and run the same command again')
        return False
    from stmap_pipeline.errors import StmapError
    from stmap_pipeline.training.config import TrainConfig
    from stmap_pipeline.training.run import plan_training

    say(
        screen,
        f"5  train for {EPOCHS} epochs, which shows the way and no more: {shlex.join(['stmap', 'train', str(maps), str(folder)])}",
    )
    config = TrainConfig(protocol="holdout", holdout_share=0.5, validation_share=0.0, augment="plan", epochs=EPOCHS, batch=16)
    try:
        plan = plan_training(maps, folder, config, resume=True)
    except StmapError as error:
        # one person cannot be divided, and without a window there is nothing to learn from
        say(screen, f"   no training: {error}")
        return False
    if not plan.finished:
        train_command.carry_out(plan, "cpu", 60.0, screen, if_stopped="the same command goes on")
    if not (folder / "evaluation.json").exists():
        evaluate_command.after_training(folder, maps, screen, show_table=True)
    return True
