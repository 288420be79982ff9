"""Build an output: plan, run in parallel, write tables and manifest, and continue where an earlier run stopped.

:func:`plan_check` and :func:`check_recordings` find what is wrong with a source folder, :func:`plan_build` compares a listing with an
output, :func:`run_build` builds and yields one outcome for each listed recording, :func:`read_status` reads the progress, and
:func:`verify` checks a finished output.

====================  ==========================================================================================
:mod:`.check`         what is wrong with videos, clocks and labels of a source folder, without decoding it
:mod:`.findings`      codes of what a check finds
:mod:`.describe`      proposes a database.toml for a folder of user videos
:mod:`.user_videos`   what a folder of user videos needs said or decided before a build
:mod:`.plan`          the listing with clocks and labels checked, compared with the output
:mod:`.sources`       hashes of what a recording is derived from: settings, video, clock, labels
:mod:`.worker`        one recording, from its video to its file and its rows
:mod:`.limits`        time and memory that it may take
:mod:`.metadata`      columns about stream, clock and tracking, and notes
:mod:`.forecast`      how long a build will take, from a measurement of seconds
:mod:`.build`         runs a plan, then writes the tables and the manifest
:mod:`.scratch`       state of an unfinished run: outcomes, marks of recordings in progress
:mod:`.status`        progress of a build
:mod:`.verification`  comparison of an output with its manifest and of its tables with its files
====================  ==========================================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stmap_pipeline.pipeline.build import BuildSummary, run_build, summarize
    from stmap_pipeline.pipeline.check import CheckPlan, check_recording, check_recordings, plan_check
    from stmap_pipeline.pipeline.findings import Finding
    from stmap_pipeline.pipeline.limits import Limits
    from stmap_pipeline.pipeline.plan import BuildPlan, plan_build
    from stmap_pipeline.pipeline.status import BuildStatus, read_status
    from stmap_pipeline.pipeline.verification import verify

# a command that builds nothing needs no decoder and no face model: half a second
_LAZY = {
    "BuildPlan": "plan",
    "BuildStatus": "status",
    "BuildSummary": "build",
    "CheckPlan": "check",
    "Finding": "findings",
    "Limits": "limits",
    "check_recording": "check",
    "check_recordings": "check",
    "plan_build": "plan",
    "plan_check": "check",
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
    "CheckPlan",
    "Finding",
    "Limits",
    "check_recording",
    "check_recordings",
    "plan_build",
    "plan_check",
    "read_status",
    "run_build",
    "summarize",
    "verify",
]
