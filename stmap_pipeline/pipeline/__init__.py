"""From a listed recording to a finished output: plan, run in parallel, assemble, and continue where it stopped.

:func:`plan_build` says what there is to do, :func:`run_build` does it and yields one outcome for each listed recording,
:func:`read_status` tells how far it is and :func:`verify` whether a finished output is whole.

===================  ============================================================================================================
:mod:`.plan`         the listing, less what is done already with the same settings
:mod:`.reuse`        what another output with other settings holds, and what of it need not be made again
:mod:`.process`      what happens to one recording
:mod:`.recording_task` what a worker is asked to do, then :mod:`.shard_task`; :mod:`.limits` is what it may take
:mod:`.work`         what an unfinished run keeps
:mod:`.assemble`     how the output is written: shards, tables, manifest last
===================  ============================================================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stmap_pipeline.pipeline.build import BuildSummary, run_build, summarize
    from stmap_pipeline.pipeline.limits import Limits
    from stmap_pipeline.pipeline.plan import BuildPlan, plan_build
    from stmap_pipeline.pipeline.status import BuildStatus, read_status
    from stmap_pipeline.pipeline.verification import verify

# a command that builds nothing needs no decoder and no face model: half a second
_LAZY = {
    "BuildPlan": "plan",
    "BuildStatus": "status",
    "BuildSummary": "build",
    "Limits": "limits",
    "plan_build": "plan",
    "read_status": "status",
    "run_build": "build",
    "summarize": "build",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BuildPlan",
    "BuildStatus",
    "BuildSummary",
    "Limits",
    "plan_build",
    "read_status",
    "run_build",
    "summarize",
    "verify",
]
