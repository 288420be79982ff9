"""From a listed recording to a finished output: plan, run in parallel, assemble, and continue where it stopped.

:func:`plan_build` says what there is to do, :func:`run_build` does it and yields one outcome for each listed recording.
:mod:`.process` is what happens to one recording, :mod:`.work` what an unfinished run keeps, :mod:`.assemble` how the output
is written, manifest last.
"""

from stmap_pipeline.pipeline.build import BuildSummary, run_build, summarize
from stmap_pipeline.pipeline.plan import BuildPlan, plan_build

__all__ = ["BuildPlan", "BuildSummary", "plan_build", "run_build", "summarize"]
