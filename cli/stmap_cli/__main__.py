"""Entry point: nothing is imported before Ctrl-C is handled, so that it never ends in a traceback."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Import the command line and run it."""
    try:
        from stmap_cli import interrupt

        # a process that was started to ignore Ctrl-C still does
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, interrupt.on_interrupt)
        from stmap_cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    finally:
        # while Python waits for its workers to end, Ctrl-C ends the process at once
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
