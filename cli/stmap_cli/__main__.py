"""Entry point: nothing is imported before Ctrl-C is handled, so that it never ends in a traceback."""

from __future__ import annotations

import sys


def main() -> None:
    """Import the command line and run it."""
    try:
        from stmap_cli.main import main as run

        run()
    except KeyboardInterrupt:
        from stmap_cli import INTERRUPTED

        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
