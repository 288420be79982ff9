"""The group of all commands, and how errors become messages and exit codes."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from stmap_cli import ERROR, INTERRUPTED, interrupt
from stmap_cli.augment import augment
from stmap_cli.build_maps import build_maps
from stmap_cli.check import check
from stmap_cli.config import config
from stmap_cli.console import printable
from stmap_cli.databases import databases
from stmap_cli.demo import demo
from stmap_cli.estimate import estimate
from stmap_cli.evaluate import evaluate
from stmap_cli.experiment import experiment
from stmap_cli.export import export
from stmap_cli.init import init
from stmap_cli.report import report
from stmap_cli.show import show
from stmap_cli.status import status
from stmap_cli.synth import synth
from stmap_cli.train import train
from stmap_cli.verify import verify
from stmap_pipeline import __version__
from stmap_pipeline.errors import StmapError


class _Commands(click.Group):
    """All commands; Ctrl-C in one that has no line of its own for it ends with one."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            interrupt.say_stopped()
            raise click.exceptions.Exit(INTERRUPTED) from None


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True}
)
@click.version_option(__version__, prog_name="stmap")
def cli() -> None:
    """Make heart-rate-labeled spatial-temporal maps from databases of face videos.

    \b
    Try it without any data:
        stmap demo

    \b
    Exit codes: 0 all done, 1 error, 2 wrong usage, 3 done but some recordings failed, 130 stopped by Ctrl-C.
    """


for command in (
    augment,
    build_maps,
    check,
    config,
    databases,
    demo,
    estimate,
    evaluate,
    experiment,
    export,
    init,
    report,
    show,
    status,
    synth,
    train,
    verify,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error that a user can correct is one line, not a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a path is written with the bytes it has on disk, even if they are not valid text
        sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding.lower() == "utf-8" else "backslashreplace")
    try:
        code = cli.main(prog_name="stmap", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        interrupt.say_stopped()
        sys.exit(INTERRUPTED)
    except StmapError as error:
        click.echo(printable(f"Error: {error}"), err=True)
        sys.exit(ERROR)
    except OSError as error:
        if error.strerror is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(printable(f"Error: {where}{error.strerror}"), err=True)
        sys.exit(ERROR)
    sys.exit(code if isinstance(code, int) else 0)
