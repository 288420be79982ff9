"""Where the program begins: nothing is imported before a Ctrl-C is understood, so that none ends in a traceback."""

from __future__ import annotations

import sys


def main() -> None:
    """Import the command line and run it."""
    try:
        from stmap_cli.main import main as run

        run()
    except KeyboardInterrupt:
        from stmap_cli.codes import INTERRUPTED

        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
