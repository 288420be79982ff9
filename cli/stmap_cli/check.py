"""`stmap check`: what is wrong with a source folder, before anything is built from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stmap_cli import FAILED, places
from stmap_cli.console import Progress, console, counted, printable, say
from stmap_cli.options import config_option, database_option, folder_argument, json_option, subject_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from stmap_pipeline.pipeline.check import CheckPlan
    from stmap_pipeline.pipeline.findings import Finding

_SHOWN_NAMES = 12


@click.command()
@database_option
@folder_argument("source", required=False)
@subject_option
@config_option("Take window lengths and limits from a TOML file, as in stmap build-maps.")
@click.option("--list", "as_list", is_flag=True, help="Print each finding on a line of its own instead of the table.")
@json_option("Print all findings as one JSON object on stdout.")
def check(database: str | None, source: Path | None, subject: str, config_path: Path | None, as_list: bool, as_json: bool) -> int:
    """Check videos, clocks and labels of the database in SOURCE.

    Nothing is built: of each video no more than one frame is decoded. Exit code 3 means that something is wrong. In a project (stmap
    init), SOURCE is what STMAP_NAME or stmap.toml says.

    \b
    Example:
        stmap synth videos --layout vipl-hr --subjects 2
        stmap check --db vipl-hr videos
    """
    from stmap_pipeline.pipeline.check import plan_check

    found = places.source_of_project(database, source, "stmap check")
    plan = plan_check(found.database, found.path, places.build_settings(config_path), subject=subject)
    screen = console()
    findings = look(plan, screen)
    table_on = None
    if as_json:
        counts = {"database": plan.database.name, "recordings": len(plan.listed), "checked": len(plan.todo)}
        click.echo(json.dumps({**counts, "findings": as_rows(findings)}))
    elif as_list:
        for one in _problems(findings):
            click.echo(printable("\t".join((one.code, one.recording_id or "-", one.message.replace("\n", " ")))))
    else:
        table_on = _on_stdout(screen)
    return say_result(plan, findings, screen, table_on=table_on, each_note=as_list)


def look(plan: CheckPlan, screen: Console) -> list[Finding]:
    """Look at all recordings of a plan, with progress on the screen, and return what was found."""
    from stmap_pipeline.pipeline.check import check_recordings

    findings = list(plan.findings)
    progress = Progress("checking", len(plan.todo), screen, if_stopped="nothing was changed")
    with progress.running():
        for found in check_recordings(plan):
            findings += found
            progress.step(failed=bool(_problems(found)))
    return findings


def say_result(
    plan: CheckPlan, findings: Sequence[Finding], screen: Console, *, table_on: Console | None, each_note: bool = False
) -> int:
    """Draw a table of what is wrong, say the rest in lines, those of a kind together or each, and return the exit code."""
    from stmap_pipeline.pipeline.check import by_code

    problems = _problems(findings)
    if problems and table_on is not None:
        table_on.print(_table(problems), soft_wrap=False)
    for code, found in by_code([one for one in findings if one.severity == "note"]).items():
        more = f" (and {len(found) - 1} more {code})" if len(found) > 1 and not each_note else ""
        for one in found if each_note else found[:1]:
            where = f"{one.recording_id}: " if one.recording_id else ""
            say(screen, f"  note     {where}{one.message}{more}")
    looked = f"{counted(len(plan.todo), 'recording')} checked"
    if not problems:
        say(screen, f"{looked}: nothing is wrong")
        return 0
    wrong = {one.recording_id for one in problems if one.recording_id}
    say(screen, f"{looked}: {counted(len(problems), 'problem')} in {counted(len(wrong), 'recording')}")
    return FAILED


def as_rows(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Return findings for ``--json``."""
    return [
        {"code": one.code, "severity": one.severity, "recording_id": one.recording_id, "message": one.message} for one in findings
    ]


def _problems(findings: Sequence[Finding]) -> list[Finding]:
    return [one for one in findings if one.severity == "problem"]


def _on_stdout(screen: Console) -> Console:
    from rich.console import Console

    return Console(highlight=False, width=screen.width if screen.is_terminal else max(screen.width, 100))


def _table(problems: Sequence[Finding]) -> Table:
    """Return a table with a row for each kind of problem."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from stmap_pipeline.pipeline.check import by_code

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("problem", "recordings", "the first"):
        table.add_column(name, overflow="fold")
    for code, found in by_code(problems).items():
        names = list(dict.fromkeys(one.recording_id for one in found if one.recording_id))
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        shown = ", ".join(names[:_SHOWN_NAMES]) + more
        # names of files may hold brackets, which are no markup
        table.add_row(Text(f"{code} ({len(found)})"), Text(printable(shown)), Text(printable(found[0].message)))
    return table
