"""Entry point: nothing is imported before Ctrl-C is handled, so that it never ends in a traceback."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Import the command line and run it."""
    try:
        from stmap_cli.main import main as run

        run()
    except KeyboardInterrupt:
        from stmap_cli import INTERRUPTED

        sys.exit(INTERRUPTED)
    finally:
        # while Python waits for its workers to end, Ctrl-C ends the process at once
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
