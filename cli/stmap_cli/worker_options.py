"""Options that say who does the work and how much of the machine one recording may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--scheduler", metavar="ADDRESS", help="Let the workers of this Dask scheduler do the work; tcp://HOST:8786 or so."
    ),
    click.option(
        "--time-limit",
        "time_limit_s",
        type=click.FloatRange(min=0, min_open=True),
        default=3600.0,
        show_default=True,
        metavar="SECONDS",
        help="Give up a recording that takes longer than this.",
    ),
    click.option(
        "--memory-limit",
        "memory_limit_mb",
        type=click.IntRange(min=1),
        default=2048,
        show_default=True,
        metavar="MB",
        help="Give up a recording that needs more memory than this.",
    ),
)


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets ``scheduler``, ``time_limit_s`` and ``memory_limit_mb``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def as_arguments(scheduler: str | None, time_limit_s: float, memory_limit_mb: int) -> dict[str, Any]:
    """Turn the options into what :func:`stmap_pipeline.pipeline.run_build` takes."""
    from stmap_pipeline.pipeline import Limits

    return {"scheduler": scheduler, "limits": Limits(time_limit_s, memory_limit_mb * 2**20)}
