"""The command group and the way errors leave it."""

from __future__ import annotations

import sys

import click

from stmap_cli.build_maps import build_maps
from stmap_cli.databases import databases
from stmap_cli.demo import demo
from stmap_cli.export import export
from stmap_cli.show import show
from stmap_cli.synth import synth
from stmap_pipeline import __version__
from stmap_pipeline.errors import StmapError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="stmap")
def cli() -> None:
    """Make heart-rate-labeled spatial-temporal maps from databases of face videos.

    \b
    Try it without any data:
        stmap demo

    \b
    Exit codes: 0 all done, 1 error, 2 wrong usage, 3 done but some recordings failed, 130 stopped by Ctrl-C.
    """


for command in (build_maps, databases, demo, export, show, synth):
    cli.add_command(command)


def main() -> None:
    """Run the command line; an error that a user can mend is one line, not a traceback."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except StmapError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
