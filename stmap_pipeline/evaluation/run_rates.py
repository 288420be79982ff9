"""Heart rates of a video by a trained run, on the windows and the clock that its networks were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stmap_pipeline.errors import ModelError
from stmap_pipeline.maps.stmap import make_stmap, resample_blocks
from stmap_pipeline.records import BlockTrace
from stmap_pipeline.training import require_torch

if TYPE_CHECKING:
    from stmap_pipeline.training.predict import Model

FloatArray = npt.NDArray[np.float64]


class RunRates:
    """The networks of a run as a source of rates for :func:`stmap_pipeline.evaluation.video_estimate.estimate_video`.

    A video of one's own is new to each fold, so the rate of a window is the mean of what all of them say.

    Parameters
    ----------
    run : Path
        Folder of a run, or a file of weights in one.
    device : str

    Raises
    ------
    ExtraMissingError
        Where torch is not installed.
    ModelError
        Where the folder is no run, a checkpoint is damaged, or folds do not read the same maps.
    """

    def __init__(self, run: Path, device: str = "cpu") -> None:
        require_torch()
        # imported late: the classical methods go without torch
        from stmap_pipeline.training.predict import Model

        folds = [None] if run.suffix == ".safetensors" else Model.folds(run)
        self._models: list[Model] = [Model.load(run, fold, device) for fold in folds]
        facts = self._models[0].facts
        self.samples, self.blocks = facts.samples, facts.blocks
        self.rate_hz = facts.rate_hz if facts.clock == "uniform" else None
        kinds = {(one.facts.samples, one.facts.blocks, one.facts.clock, one.facts.rate_hz) for one in self._models}
        if len(kinds) > 1:
            raise ModelError(
                f"{run}: its folds read maps of different kinds; give one of them, such as {run}/fold1/last.safetensors"
            )

    def windows(self, blocks: BlockTrace, step_s: float) -> tuple[FloatArray, FloatArray]:
        """Cut a trace into windows of the networks' length and estimate each.

        Parameters
        ----------
        blocks : BlockTrace
        step_s : float
            The last window ends with the trace.

        Returns
        -------
        spans_s : (W, 2) array
            Start and end of each window; none where the trace is shorter than one.
        rates_bpm : (W,) array

        Raises
        ------
        ModelError
            Where the grid of blocks is not that of the training.
        """
        import torch

        from stmap_pipeline.training.rows import network_input

        if blocks.grid.count != self.blocks:
            raise ModelError(f"the run reads {self.blocks} blocks, not {blocks.grid.rows} x {blocks.grid.cols}")
        trace = blocks if self.rate_hz is None else resample_blocks(blocks, self.rate_hz)
        times_s, total = trace.times_s, len(trace.times_s)
        if total < self.samples:
            return np.empty((0, 2)), np.empty(0)
        wanted_s = np.arange(times_s[0], times_s[total - self.samples], step_s)
        starts = np.unique([*np.searchsorted(times_s, wanted_s).tolist(), total - self.samples])
        interval_s = float(np.median(np.diff(times_s)))
        spans_s = np.stack([times_s[starts], times_s[starts + self.samples - 1] + interval_s], axis=1)
        rates = []
        for model in self._models:
            settings = model.config
            maps = [
                make_stmap(trace, start, start + self.samples, color=settings.color, normalize=settings.normalize)
                for start in starts.tolist()
            ]
            rows = torch.stack([network_input(one.values, settings.normalize) for one in maps])
            rates.append(model.predict_maps(rows, spans_s[:, 1] - spans_s[:, 0]))
        return spans_s, np.mean(rates, axis=0)
