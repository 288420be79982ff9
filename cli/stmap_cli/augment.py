"""`stmap augment`: rare heart rates by resampling, as rows of windows.csv."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli.console import Progress, console, counted, default_jobs, number, say
from stmap_cli.options import folder_argument, min_valid_option, seed_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.maps.balance import Augmentation, Options

# options that only one of the rules knows
BALANCE_ALONE = ("target", "max_scale")
FG2019_ALONE = ("scales", "band")


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers separated by commas."""

    name = "numbers"

    def __init__(self, count: int | None = None) -> None:
        self._count = count

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        wanted = f"{self._count} numbers" if self._count else "numbers"
        if not all(re.fullmatch(r"\s*[0-9]*\.?[0-9]+\s*", one) for one in parts) or self._count not in (None, len(parts)):
            self.fail(f"{value!r} is not {wanted} separated by a comma", param, ctx)
        return tuple(map(float, parts))


@click.command()
@folder_argument("maps")
@click.option("--balance", is_flag=True, help="Bring the histogram of heart rates to the target.")
@click.option(
    "--rule",
    type=click.Choice(["balance", "fg2019"]),
    help="Choose the windows in this way: 'balance' aims at the target, 'fg2019' resamples a middle band by fixed scales.",
)
@click.option(
    "--target",
    default="uniform",
    show_default=True,
    metavar="uniform|FILE",
    help="Aim at this distribution; a FILE is a CSV with the columns low_bpm, high_bpm and weight.",
)
@click.option(
    "--range",
    "range_bpm",
    type=Numbers(2),
    default="40,160",
    show_default=True,
    metavar="LOW,HIGH",
    help="Balance heart rates between these, in bpm.",
)
@click.option(
    "--bin", "bin_bpm", type=float, default=5.0, show_default=True, metavar="BPM", help="Count heart rates in bins of this width."
)
@click.option(
    "--max-scale",
    type=float,
    default=1.5,
    show_default=True,
    metavar="FACTOR",
    help="Change a heart rate by this factor at most, or by its reciprocal.",
)
@click.option(
    "--scales",
    type=Numbers(),
    default="0.67,1.5",
    show_default=True,
    metavar="FACTORS",
    help="Resample by these factors on the heart rate (fg2019).",
)
@click.option(
    "--band",
    type=Numbers(2),
    default="70,85",
    show_default=True,
    metavar="LOW,HIGH",
    help="Resample windows with a heart rate between these, in bpm (fg2019).",
)
@seed_option("Decide by this number all that is otherwise open.")
@click.option("--per-subject-cap", type=click.IntRange(min=1), metavar="N", help="Add at most N windows of one subject.")
@min_valid_option("Use what has a known face in this share of the frames or more.")
@click.option("--dry-run", is_flag=True, help="Show what would be added and write nothing.")
@click.option("--reset", is_flag=True, help="Take away what an earlier run added.")
@click.option(
    "--write-shards",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Also write all windows as finished maps, a folder a subject, for other people's trainers.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run N processes.  [default: one to plan, one per core to write finished maps]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on stdout.")
@click.pass_context
def augment(
    ctx: click.Context,
    /,
    maps: Path,
    balance: bool,
    rule: str | None,
    dry_run: bool,
    reset: bool,
    write_shards: Path | None,
    jobs: int | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Balance the heart rates of MAPS by windows resampled in time.

    MAPS is the output of stmap build-maps. The new windows are rows of MAPS/windows.csv; no sample is copied, and --reset takes
    them away again. They are for training alone: each stays with its subject, and Shards.split() keeps them out of evaluation.

    \b
    Example:
        stmap augment maps --balance --dry-run
        stmap augment maps --balance
    """
    screen = console()
    if reset:
        if balance or rule or dry_run or write_shards:
            raise click.UsageError("--reset stands alone; to plan anew, no reset is needed")
        _reset(maps, screen)
        return
    if not balance and rule is None:
        raise click.UsageError("nothing to do: give --balance, --rule fg2019 or --reset")
    chosen = rule or "balance"
    for name in FG2019_ALONE if chosen == "balance" else BALANCE_ALONE:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} has no meaning with the rule {chosen}")
    from stmap_pipeline.pipeline.augment import apply_augmentation, plan_augmentation

    options = _options(chosen, choices)
    plan = plan_augmentation(maps, options, jobs or 1)
    told = plan.to_mapping()
    if not as_json:
        _show(plan)
    _tell(told, screen)
    if not dry_run:
        apply_augmentation(maps, plan, _draw_or_none(screen))
        say(screen, f"written  ->  {maps / 'windows.csv'}, {maps / 'augmentation'}")
        if write_shards is not None:
            _write_shards(maps, write_shards, jobs or default_jobs(), options.min_valid_fraction, screen)
    if as_json:
        click.echo(json.dumps({"maps": str(maps), "dry_run": dry_run, **told}))


def _options(rule: str, choices: dict[str, Any]) -> Options:
    from stmap_pipeline.maps.balance import BalanceOptions, Bins, Fg2019Options, Target, read_target

    low_bpm, high_bpm = choices["range_bpm"]
    bins = Bins(low_bpm, high_bpm, choices["bin_bpm"])
    common: dict[str, Any] = {
        "bins": bins,
        "seed": choices["seed"],
        "per_subject_cap": choices["per_subject_cap"],
        "min_valid_fraction": choices["min_valid"],
    }
    if rule == "fg2019":
        return Fg2019Options(hr_scales=choices["scales"], band_bpm=choices["band"], **common)
    target = Target() if choices["target"] == "uniform" else read_target(Path(choices["target"]))
    return BalanceOptions(target=target, max_scale=choices["max_scale"], **common)


def _reset(maps: Path, screen: Console) -> None:
    from stmap_pipeline.pipeline.augment import reset_augmentation

    there = reset_augmentation(maps)
    say(screen, "taken away: the output is as it was built" if there else "nothing to take away: no window is resampled")


def _tell(told: dict[str, Any], screen: Console) -> None:
    entropy = [told[f"normalized_entropy_{when}"] for when in ("before", "after")]
    say(
        screen,
        f"adds     {counted(told['windows_added'], 'window')} to {number(told['windows_before'])}, made from "
        f"{number(told['windows_used'])} of {counted(told['recordings_used'], 'recording')}; "
        f"none is used more than {counted(told['uses_of_a_window_at_most'], 'time')}",
    )
    if None not in entropy:
        say(screen, f"entropy  {entropy[0]:.3f} -> {entropy[1]:.3f} (1 is flat)")
    short = [one for one in told["bins"] if one["shortfall"]]
    for one in short:
        say(
            screen,
            f"short    {one['low_bpm']:g}-{one['high_bpm']:g} bpm has {number(one['after'])} of {number(one['wanted'])} wanted: "
            f"{one['shortfall']}",
        )


def _show(plan: Augmentation) -> None:
    """Print the histogram to stdout: it is the result."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False)
    # a terminal that knows no block characters gets letters
    full, light = ("#", "+") if out.options.ascii_only else ("█", "░")
    counts = [(number(one.before), number(one.after)) for one in plan.bins]
    taken = sum(max(map(len, column), default=0) for column in zip(*counts, strict=True))
    room = max(10, out.width - taken - 20)
    most = max((one.after for one in plan.bins), default=0) or 1
    table = Table("bpm", "before", "after", "", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = table.columns[2].justify = "right"
    for one, (before, after) in zip(plan.bins, counts, strict=True):
        whole, recorded = (round(room * count / most) for count in (one.after, one.before))
        bar = Text(full * recorded, "blue") + Text(light * (whole - recorded), "yellow")
        table.add_row(f"{one.low_bpm:g}-{one.high_bpm:g}", before, after, bar)
    out.print(table)


def _draw_or_none(screen: Console) -> Any:
    """Give what draws the pictures, where the extra for them is installed."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        say(screen, 'no pictures: matplotlib is not installed; pip install "stmap[plot]" and run the same command again')
        return None
    from stmap_pipeline.report import draw_histogram

    return draw_histogram


def _write_shards(maps: Path, out: Path, jobs: int, min_valid_fraction: float, screen: Console) -> None:
    from stmap_pipeline.shards import Shards, export_by_subject

    with Shards(maps) as shards:
        subjects = len({one.subject for one in shards.recordings()})
    progress = Progress("writing", subjects, screen, if_stopped="nothing was written")
    written = 0
    with progress.running():
        for step in export_by_subject(maps, out, jobs=jobs, min_valid_fraction=min_valid_fraction):
            written = step.written
            progress.step()
    say(screen, f"finished maps: {counted(written, 'window')}  ->  {out}")
