"""`stmap augment`: rare heart rates by resampled windows beside the build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stmap_cli import places
from stmap_cli.console import Progress, console, counted, default_jobs, number, say
from stmap_cli.options import Numbers, folder_argument, jobs_option, json_option, min_valid_option, path_option, seed_option

if TYPE_CHECKING:
    from rich.console import Console

    from stmap_pipeline.balance import Augmentation
    from stmap_pipeline.shards import Shards


@click.command()
@folder_argument("maps", required=False)
@click.option("--balance", is_flag=True, help="Bring the histogram of heart rates to the target.")
@click.option(
    "--rule",
    type=click.Choice(["balance", "fg2019"]),
    help="Choose the windows by this rule: 'balance' aims at the target, 'fg2019' resamples a middle band.",
)
@click.option(
    "--target",
    default="uniform",
    metavar="uniform|FILE",
    help="Aim at this distribution; a FILE is a CSV with the columns low_bpm, high_bpm and weight.",
)
@click.option(
    "--range", "range_bpm", type=Numbers(2), default="40,160", metavar="LOW,HIGH", help="Balance heart rates between these, in bpm."
)
@click.option("--bin", "bin_bpm", type=float, default=5.0, metavar="BPM", help="Count heart rates in bins of this width.")
@click.option(
    "--speeds",
    type=Numbers(),
    default=(),
    metavar="FACTORS",
    help="Play recordings at these speeds, which are factors on the heart rate.  [default: ten from 1/1.5 to 1.5, evenly spaced in "
    "log; with the rule fg2019 0.67,1.5]",
)
@click.option(
    "--band",
    "band_bpm",
    type=Numbers(2),
    default="70,85",
    metavar="LOW,HIGH",
    help="Resample what has a heart rate between these, in bpm (fg2019).",
)
@click.option(
    "--max-added",
    type=float,
    default=1.0,
    metavar="FACTOR",
    help="Add at most this many times the windows that were recorded; inf for no limit.",
)
@seed_option("Decide by this number all that is otherwise open.")
@click.option("--per-subject-cap", type=click.IntRange(min=1), metavar="N", help="Add at most N windows of one subject.")
@min_valid_option("Use windows with a known face in this share of their samples or more.")
@click.option("--dry-run", is_flag=True, help="Show what would be added and write nothing.")
@click.option("--reset", is_flag=True, help="Remove what an earlier run added.")
@path_option(
    "--write-shards",
    metavar="OUT",
    text="Also write all windows as finished maps, one folder for each subject, for other trainers.",
)
@jobs_option
@json_option("Print the result as one JSON object on stdout.")
@click.pass_context
def augment(
    ctx: click.Context,
    /,
    maps: Path | None,
    balance: bool,
    rule: Any,
    dry_run: bool,
    reset: bool,
    target: str,
    range_bpm: tuple[float, float],
    bin_bpm: float,
    min_valid: float,
    write_shards: Path | None,
    jobs: int | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Balance the heart rates of MAPS by windows resampled in time.

    MAPS is the output of stmap build-maps; in a project (stmap init) with one set of maps it need not be given. The new
    windows are listed in the folder MAPS/augmentation, and nothing else changes; no sample is copied, and --reset removes the folder. They are for training alone: each stays with its subject, and Shards.split()
    keeps them out of evaluation.

    \b
    Example:
        stmap augment maps --balance --dry-run
        stmap augment maps --balance
    """
    screen = console()
    folder = maps
    maps = places.maps_of_project(folder, f"stmap augment {{}} {'--reset' if reset else '--balance'}")
    if folder is None:
        say(screen, f"project  {maps}")
    if reset:
        if balance or rule or dry_run or write_shards:
            raise click.UsageError("--reset stands alone; to plan anew, no reset is needed")
        from stmap_pipeline.shards import read_manifest, remove_augmentation

        read_manifest(maps)
        there = remove_augmentation(maps)
        say(screen, "removed: the output is as it was built" if there else "nothing to remove: there are no resampled windows")
        return
    if not balance and rule is None:
        raise click.UsageError("nothing to do: give --balance, --rule fg2019 or --reset")
    chosen: Any = rule or "balance"
    unused = "band_bpm" if chosen == "balance" else "target"
    if ctx.get_parameter_source(unused) is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(f"--{unused.removesuffix('_bpm')} has no meaning with the rule {chosen}")
    from stmap_pipeline.balance import BalanceOptions, Bins, Target, read_target
    from stmap_pipeline.shards import Shards, plan_augmentation, write_augmentation
    from stmap_pipeline.shards.augmentation import check_writable

    aim = Target() if target == "uniform" else read_target(Path(target))
    options = BalanceOptions(chosen, bins=Bins(*range_bpm, bin_bpm), target=aim, min_valid_fraction=min_valid, **choices)
    with Shards(maps) as shards:
        if not dry_run:
            check_writable(maps)
        plan = plan_augmentation(shards, options)
        if not as_json:
            _show(plan)
        _summarize(plan, screen)
        if not dry_run:
            write_augmentation(shards, plan, _draw(plan, screen))
            say(screen, f"written  ->  {maps / 'augmentation'}")
            if write_shards is not None:
                _write_shards(shards, write_shards, jobs or default_jobs(), options.min_valid_fraction, screen)
    if as_json:
        click.echo(json.dumps({"maps": str(maps), "dry_run": dry_run, **plan.to_mapping()}))


def _summarize(plan: Augmentation, screen: Console) -> None:
    before, added, wanted, limit = plan.windows_before, len(plan.windows), plan.windows_wanted, plan.options.max_added
    speeds = [one.speed for one in plan.windows]
    at = f" at speeds from {min(speeds):g} to {max(speeds):g}" if speeds else ""
    recordings = counted(len({one.recording_id for one in plan.windows}), "recording")
    say(screen, f"adds     {counted(added, 'window')} to {number(before)}, from {recordings}{at}")
    say(screen, f"epoch    {number(before)} -> {number(before + added)} windows ({plan.epoch_factor:.2f} times as long)")
    if wanted > added:
        why = f"; --max-added {limit:g} allows {number(int(limit * before))}" if wanted > limit * before else ""
        say(screen, f"limited  the rule asks for {number(wanted)} more than recorded{why}")
    if plan.entropy_before == plan.entropy_before:
        say(screen, f"entropy  {plan.entropy_before:.3f} -> {plan.entropy_after:.3f} (1 is flat)")
    missing = {one: (one.wanted or 0) - one.after for one in plan.bins if one.shortfall}
    if missing:
        worst = max(missing, key=missing.__getitem__)
        have = f"{number(worst.after)} of {number(worst.wanted or 0)}"
        say(
            screen,
            f"short    {counted(sum(missing.values()), 'window')} in {number(len(missing))} of {counted(len(plan.bins), 'bin')}",
        )
        say(screen, f"         most in {worst.low_bpm:g}-{worst.high_bpm:g} bpm, with {have} wanted: {worst.shortfall}")


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


def _draw(plan: Augmentation, screen: Console) -> Mapping[str, bytes]:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        say(screen, 'no pictures: matplotlib is not installed; pip install "stmap[plot]" and run the same command again')
        return {}
    from stmap_pipeline.report import draw_histogram

    return draw_histogram(plan)


def _write_shards(shards: Shards, out: Path, jobs: int, min_valid_fraction: float, screen: Console) -> None:
    from stmap_pipeline.shards import export_by_subject

    subjects = len({one.subject for one in shards.recordings()})
    progress = Progress("writing", subjects, screen, if_stopped="nothing was written")
    steps = export_by_subject(shards.root, out, jobs=jobs, min_valid_fraction=min_valid_fraction)
    last = progress.follow(steps)
    say(screen, f"finished maps: {counted(last.written if last else 0, 'window')}  ->  {out}")
