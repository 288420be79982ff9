"""Quality of the pulse network: simulated windows and videos, fingers; its calibration, speed and pictures.

    python benchmarks/pulse_network.py windows [--windows 4000] [--figures docs/explanation] [--beside RUN]
    python benchmarks/pulse_network.py videos MAPS             # of `stmap synth MAPS --traces`
    python benchmarks/pulse_network.py fingers FOLDER          # records of github.com/Welltory/welltory-ppg-dataset
    python benchmarks/pulse_network.py speed
    python benchmarks/pulse_network.py package RUN             # weights of `stmap train --recipe simulated` into the package, calibrated

A window has 10 s. The rate of a video is that of an estimate from its stored traces, or where it would refuse one its best guess. The classical methods see the
mean of all blocks over the same time. ``--run RUN`` measures the windows by the weights of a run instead of those of the package, ``--beside
RUN`` another network beside them, such as the paper's.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from tables import reliability, show, show_machine

from stmap_pipeline import Shards
from stmap_pipeline.evaluation.estimate import PARTS, estimate_blocks
from stmap_pipeline.evaluation.window_rates import PulseNetRates
from stmap_pipeline.files import atomic_write_bytes, atomic_write_text
from stmap_pipeline.records import BlockTrace, RoiGrid
from stmap_pipeline.signals.classical import METHODS, face_mean, method_named
from stmap_pipeline.signals.rate_grid import CLOSE_BPM, best_rates
from stmap_pipeline.signals.resample import resample_uniform
from stmap_pipeline.signals.spectrum import dominant_rate_bpm
from stmap_pipeline.simulation import SimulatedWindows, SimulationConfig, simulate_windows
from stmap_pipeline.torch import Batch
from stmap_pipeline.training.networks import Network, build_network
from stmap_pipeline.training.networks.pulse_net import PulseNetwork
from stmap_pipeline.training.predict import Model, predict_batches
from stmap_pipeline.training.tensor_file import read_tensors
from stmap_pipeline.weights import PULSE_NET, Calibration, read_calibration, read_weights, weights_path
from stmap_pipeline.weights.pulse_net import INPUT_HZ, RATES_BPM, SAMPLES, WAVE_HZ

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BANDS_BPM = ((40, 60), (60, 80), (80, 100), (100, 120), (120, 140), (140, 160), (160, 181))
TENTHS = tuple(number / 10 for number in range(11))
#: Rows and columns of the blocks that an estimate measures for the network.
FINE = PARTS * RoiGrid().rows
TEST_SEED, CALIBRATION_SEED = 1_000_001, 1_000_002


class Answers(NamedTuple):
    """Rates and their confidences."""

    rate_bpm: FloatArray
    confidence: FloatArray


class Estimator:
    """A network with its calibration."""

    def __init__(self, run: Path | None = None) -> None:
        if run is None:
            weights = {name: torch.tensor(one) for name, one in read_weights().items()}
            self.calibration = read_calibration()
        else:
            weights, self.calibration = read_tensors(run_weights(run))[0], Calibration()
        self.network = network_of(weights)

    def raw(self, means: npt.NDArray[Any], motion: npt.NDArray[Any] | None) -> tuple[FloatArray, FloatArray]:
        """Return the logarithms of the probabilities of windows (B, T, N, 3)."""
        found = []
        with torch.inference_mode():
            for first in range(0, len(means), 32):
                part = slice(first, first + 32)
                moved = None if motion is None else torch.as_tensor(motion[part], dtype=torch.float32)
                output = self.network(torch.as_tensor(means[part], dtype=torch.float32), moved)
                found.append((output.log_probability.double().numpy(), output.log_no_pulse.double().numpy()))
        rates, none = zip(*found, strict=True)
        return np.concatenate(rates), np.concatenate(none)

    def windows(self, means: npt.NDArray[Any], motion: npt.NDArray[Any] | None) -> FloatArray:
        """Return the calibrated probability (B, R) of each rate."""
        probability, _ = self.calibration(*self.raw(means, motion))
        return np.asarray(probability)


def run_weights(run: Path) -> Path:
    """Return the weights of a run on simulated windows."""
    return run if run.suffix == ".safetensors" else run / "fold0/weights.safetensors"


def network_of(weights: dict[str, torch.Tensor]) -> PulseNetwork:
    """Return the network that weights fit."""
    network = PulseNetwork(
        channels=len(weights["stem.bias"]),
        width=len(weights["enter.bias"]),
        motion_channels=len(weights.get("motion_stem.bias", ())),
    )
    network.load_state_dict(weights)
    return network.eval()


def likely_rate(probability: FloatArray) -> Answers:
    """Return the rate around which most of the probability lies, and the probability there."""
    return Answers(*best_rates(RATES_BPM, probability))


def median_rate(probability: FloatArray) -> FloatArray:
    """Return the median of each distribution, given that there is a pulse: the guess of the least absolute error where nothing is sure."""
    total = np.cumsum(probability, axis=1)
    return np.array([np.interp(0.5 * one[-1], one, RATES_BPM + 0.5) for one in total])


def auc(score: FloatArray, right: BoolArray) -> float:
    """Return the probability that a right answer has a higher score than a wrong one."""
    order = score.argsort()
    rank = np.empty(len(score))
    rank[order] = np.arange(len(score))
    count = int(right.sum())
    return float((rank[right].sum() - count * (count - 1) / 2) / (count * (len(score) - count)))


def classical(means: npt.NDArray[Any], method: str) -> FloatArray:
    """Return the rates of windows (B, T, N, 3) by a classical method."""
    extract = method_named(method)
    with warnings.catch_warnings():
        # a moment without any block
        warnings.simplefilter("ignore", RuntimeWarning)
        colors = np.nanmean(means, axis=2)
    return np.array([dominant_rate_bpm(extract(one, INPUT_HZ), INPUT_HZ) for one in colors])


def rates_of_run(run: Path, windows: SimulatedWindows) -> FloatArray:
    """Return the rates of windows by the first network of a run."""
    network = Model.load(run).network.eval()
    rates = []
    for first in range(0, len(windows.means), 64):
        part = slice(first, first + 64)
        means = torch.as_tensor(on_map(windows.means[part]), dtype=torch.float32)
        seconds = torch.full((len(means),), SAMPLES / INPUT_HZ)
        rates.append(predict_batches(network, [Batch(means, None, None, seconds, seconds)]).heart_rate_bpm)
    return np.concatenate(rates)


def unseen_windows(count: int, seed: int, size: int = FINE) -> SimulatedWindows:
    """Simulate windows of unseen people and settings, half of them damaged, rates spread over 40 to 180 bpm, with so many rows and columns of blocks."""
    settings = SimulationConfig.unseen(damaged_share=0.5, heart_rate_edges_bpm=(40.0, 180.0), rows=size, cols=size)
    return simulate_windows(count, seed, settings)


def on_map(means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return means (B, T, N, 3) of the 25 blocks of a map."""
    size = math.isqrt(means.shape[2])
    if size == RoiGrid().rows:
        return means
    ones = np.ones(means.shape[1:3], np.float32)
    times_s = np.arange(means.shape[1]) / INPUT_HZ
    return np.stack([BlockTrace(times_s, one, ones, RoiGrid(size, size)).merged(size // RoiGrid().rows).means for one in means])


def measure_windows(
    estimator: Estimator, count: int, figures: Path | None, beside: Path | None = None, size: int = FINE
) -> dict[str, float]:
    """Print the tables of simulated windows."""
    windows = unseen_windows(count, TEST_SEED, size)
    true = windows.heart_rate_bpm.astype(float)
    there, damaged = np.isfinite(true), windows.terms["damaged"]
    probability = estimator.windows(windows.means, windows.motion)
    answers = likely_rate(probability)
    error = np.abs(answers.rate_bpm - true)
    right = there & (error <= CLOSE_BPM)
    surest = answers.confidence >= np.quantile(answers.confidence[there], 0.2)
    still = likely_rate(estimator.windows(windows.means, None))
    measured = {
        "windows": count,
        "mae_bpm": error[there].mean(),
        "mae_surest_80_percent_bpm": error[there & surest].mean(),
        "median_error_bpm": float(np.median(error[there])),
        "auc_wrong": auc(answers.confidence, right),
        "mae_without_motion_input_bpm": np.abs(still.rate_bpm - true)[there].mean(),
        "no_pulse_above_0.6_percent": 100 * (answers.confidence[~there] > 0.6).mean(),
    }
    median = median_rate(probability)
    measured["mae_of_median_bpm"] = np.abs(median - true)[there].mean()
    rows = []
    for name, rate in [
        ("pulse network", answers.rate_bpm),
        ("median of its distribution", median),
        *((one, classical(windows.means, one)) for one in METHODS),
        *([] if beside is None else [(str(beside), rates_of_run(beside, windows))]),
    ]:
        wrong = np.abs(rate - true)
        parts = (there, there & ~damaged, there & damaged)
        rows.append((name, *(f"{np.nanmean(wrong[part]):.2f}" for part in parts), f"{np.nanmedian(wrong[there]):.2f}"))
    show("Mean absolute error in bpm", ("method", "all", "undamaged", "damaged", "median of all"), rows)
    bands = [there & (true >= low) & (true < high) for low, high in BANDS_BPM]
    show(
        "By true rate",
        ("bpm", *(f"{low} to {high}" for low, high in BANDS_BPM)),
        [
            ("MAE", *(f"{error[one].mean():.2f}" for one in bands)),
            ("bias", *(f"{(answers.rate_bpm - true)[one].mean():+.2f}" for one in bands)),
            ("bias of the median", *(f"{(median - true)[one].mean():+.2f}" for one in bands)),
            ("MAE, surest 80 %", *(f"{error[one & surest].mean():.2f}" for one in bands)),
            ("bias, surest 80 %", *(f"{(answers.rate_bpm - true)[one & surest].mean():+.2f}" for one in bands)),
            ("share of the surest", *(f"{surest[one].mean():.2f}" for one in bands)),
        ],
    )
    terms = [name for name, chosen in windows.terms.items() if (chosen & there).sum() >= 20]
    by_term = sorted(((error[windows.terms[name] & there].mean(), name) for name in terms), reverse=True)
    show("By damage", ("damage", "MAE", "windows"), [(n, f"{e:.2f}", (windows.terms[n] & there).sum()) for e, n in by_term])
    bins = [
        (f"{one.low:.1f} to {one.high:.1f}", one.answers, f"{one.mean_probability:.3f}", f"{one.right_share:.3f}")
        for one in reliability(answers.confidence, right, TENTHS)
        if one.answers
    ]
    show("Reliability", ("confidence", "answers", "mean confidence", "right"), bins)
    if figures:
        draw_reliability(answers.confidence, right, figures / "pulse-network-reliability.png")
        draw_risk(answers.confidence, there, error, figures / "pulse-network-risk-coverage.png")
    measured = {name: round(float(one), 4) for name, one in measured.items()}
    show("Simulated windows", ("measure", "value"), list(measured.items()))
    return measured


def fit_calibration(estimator: Estimator, count: int = 3000) -> Calibration:
    """Fit temperature and shift by maximum likelihood of what is right: the true rate within 5 bpm, or no pulse."""
    windows = unseen_windows(count, CALIBRATION_SEED)
    log_rates, log_none = estimator.raw(windows.means, windows.motion)
    true = windows.heart_rate_bpm.astype(float)
    near = np.abs(RATES_BPM - true[:, None]) <= CLOSE_BPM

    def loss(temperature: float, shift: float) -> float:
        rates, none = Calibration(temperature, shift)(log_rates, log_none)
        chance = np.where(np.isfinite(true), (rates * near).sum(axis=1), none)
        return float(-np.log(np.maximum(chance, 1e-12)).mean())

    grid = [(t, s) for t in np.arange(0.7, 2.01, 0.05) for s in np.arange(-1.5, 1.51, 0.25)]
    temperature, shift = min(grid, key=lambda one: loss(*one))
    return Calibration(round(float(temperature), 3), round(float(shift), 3))


def measure_videos(maps: Path) -> None:
    """Print errors of simulated videos: of an estimate from stored traces of 5 x 5 blocks, and of classical methods on the whole length."""
    shards, network, rows = Shards(maps), PulseNetRates(), []
    for info in shards.recordings():
        result = shards.recording(info.recording_id)
        if result.heart_rate is None:
            continue
        found = estimate_blocks(result.blocks, network, track=result.track)
        _, face = resample_uniform(result.blocks.times_s, face_mean(result.blocks), INPUT_HZ)
        old = [dominant_rate_bpm(method_named(one)(face, INPUT_HZ), INPUT_HZ) for one in METHODS]
        rows.append((float(np.nanmean(result.heart_rate.heart_rate_bpm)), found.guess_bpm, found.probability, found.refused, *old))
    values = np.array(rows, dtype=float)
    true, answered = values[:, 0], values[:, 3] == 0
    bands = [("all", true > 0), *((f"{a} to {b}", (true >= a) & (true < b)) for a, b in ((0, 60), (60, 70), (70, 85), (85, 100)))]
    bands.append(("from 100", true >= 100))
    errors = {"pulse network": np.abs(values[:, 1] - true)}
    errors |= {name: np.abs(values[:, 4 + number] - true) for number, name in enumerate(METHODS)}
    table = [(name, *(f"{np.nanmean(error[part]):.2f}" for _, part in bands)) for name, error in errors.items()]
    table.append(("videos", *(f"{part.sum()}" for _, part in bands)))
    table.append(("answered", *(f"{100 * answered[part].mean():.0f} %" for _, part in bands)))
    error = errors["pulse network"]
    table.append(("pulse network, where answered", *(f"{np.nanmean(error[part & answered]):.2f}" for _, part in bands)))
    show("Simulated videos: mean absolute error in bpm by true rate", ("method", *(name for name, _ in bands)), table)
    surest = values[:, 2] >= np.quantile(values[:, 2], 0.2)
    show(
        "Pulse network",
        ("measure", "bpm"),
        [("median", f"{np.nanmedian(error):.2f}"), ("surest 80 %", f"{error[surest].mean():.2f}")],
    )


def measure_fingers(folder: Path) -> None:
    """Print errors of fingers on a phone's camera: traces of one block, truth from a chest strap."""
    rows, network = [], PulseNetRates()
    for record in sorted(folder.glob("subject_*")):
        table = np.loadtxt(record / "PPG.csv", delimiter=",", skiprows=1)
        intervals_s = np.loadtxt(record / "RR.txt", ndmin=1) / 1000
        times_s = table[:, 0] / 1000
        keep = np.flatnonzero(np.diff(times_s, prepend=-1.0) > 0)
        times_s, colors = times_s[keep], table[keep, 1:].astype(np.float32)
        blocks = BlockTrace(times_s, colors[:, None], np.ones((len(times_s), 1), np.float32), RoiGrid(1, 1))
        _, uniform = resample_uniform(blocks.times_s, blocks.means, INPUT_HZ)
        old = [dominant_rate_bpm(method_named(one)(uniform[:, 0], INPUT_HZ), INPUT_HZ) for one in METHODS]
        found = estimate_blocks(blocks, network)
        rows.append((record.name, 60 / intervals_s.mean(), found.guess_bpm, found.probability, *old))
    values = np.array([row[1:] for row in rows])
    show(
        "Fingers",
        ("record", "true", "pulse network", "probability", *METHODS),
        [(r[0], *(f"{v:.2f}" for v in r[1:])) for r in rows],
    )
    names = {"pulse network": 1, **{name: 3 + number for number, name in enumerate(METHODS)}}
    errors = {name: np.abs(values[:, column] - values[:, 0]) for name, column in names.items()}
    show(
        "Error in bpm",
        ("method", "median", "mean"),
        [(n, f"{np.nanmedian(e):.2f}", f"{np.nanmean(e):.2f}") for n, e in errors.items()],
    )


def measure_speed(estimator: Estimator) -> None:
    """Print the CPU time of a window on one core: simulated, learned from, and estimated."""
    torch.set_num_threads(1)
    count, batch = 128, 32
    calls: dict[str, Callable[[], object]] = {}
    for size in (RoiGrid().rows, FINE):
        config = SimulationConfig(rows=size, cols=size)
        windows, blocks = simulate_windows(count, 3, config), f"{size} x {size} blocks"
        calls[f"simulation, {blocks}"] = partial(simulate_windows, count, 4, config)
        calls[f"estimate, pulse-net, {blocks}"] = partial(estimator.raw, windows.means, windows.motion)
        for name in ("pulse-net", "attention-resnet18") if size == RoiGrid().rows else ("pulse-net",):
            for precision in (torch.float32, torch.bfloat16):
                learn = partial(learn_once, build_network(name).train(), windows, batch, precision)
                calls[f"training, {name}, {str(precision).removeprefix('torch.')}, {blocks}"] = learn
    rows = []
    for name, call in calls.items():
        call()
        # batches of as many blocks for each
        torch.manual_seed(0)
        begin_s, times = time.process_time(), 8
        for _ in range(times):
            call()
        done = batch if name.startswith("training") else count
        rows.append((name, f"{times * done / (time.process_time() - begin_s):.0f}"))
    show("Windows per second of CPU time", ("what", "windows/s"), rows)


def learn_once(network: Network, windows: SimulatedWindows, size: int, precision: torch.dtype) -> None:
    """Compute one batch's inputs, loss and gradient."""
    parts = (windows.means, windows.motion, windows.pulse, windows.heart_rate_bpm)
    means, motion, pulse, rate_bpm = (torch.as_tensor(one[:size], dtype=torch.float32) for one in parts)
    batch = Batch(means, motion, pulse, rate_bpm, torch.full_like(rate_bpm, SAMPLES / INPUT_HZ))
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        output = network(*network.inputs(batch))
    network.zero_grad()
    network.loss(output, batch).backward()


def package(run: Path, figures: Path | None) -> None:
    """Write the weights of a run into the package, calibrated and described."""
    estimator = Estimator(run)
    estimator.calibration = fit_calibration(estimator)
    measured = measure_windows(estimator, 4000, figures)
    data = run_weights(run).read_bytes()
    atomic_write_bytes(weights_path(), data)
    training = json.loads(read_tensors(run_weights(run))[1] or "{}")
    history = list(csv.DictReader((run / "fold0/history.csv").open(encoding="utf-8"))) if run.is_dir() else []
    description = {
        "name": PULSE_NET,
        "network": "pulse-net",
        "sha256": hashlib.sha256(data).hexdigest(),
        "input": {"rate_hz": INPUT_HZ, "samples": SAMPLES, "wave_hz": WAVE_HZ},
        "rates_bpm": {"first": RATES_BPM[0], "last": RATES_BPM[-1], "step": 1.0, "near": CLOSE_BPM},
        "calibration": estimator.calibration._asdict(),
        "training": {
            "command": "stmap train --recipe simulated",
            "software": training.get("software"),
            "config": training.get("config"),
            "epoch": training.get("epoch"),
            "epochs": len(history),
            "seconds": float(history[-1]["seconds"]) if history else None,
        },
        "measured": measured,
    }
    atomic_write_text(weights_path().with_suffix(".json"), json.dumps(description, indent=1) + "\n")


def draw_reliability(confidence: FloatArray, right: BoolArray, path: Path) -> None:
    """Draw the share of right answers over their confidence."""
    from matplotlib import pyplot as plt

    rows = [(one.mean_probability, one.right_share, one.answers) for one in reliability(confidence, right, TENTHS) if one.answers]
    fig, axes = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    mean, share, count = (np.array(one) for one in zip(*rows, strict=True))
    axes.scatter(mean, share, s=20 + 180 * count / len(confidence), color="#1f6f8b")
    axes.set(xlabel="confidence", ylabel="share within 5 bpm", xlim=(0, 1), ylim=(0, 1))
    fig.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(fig)


def draw_risk(confidence: FloatArray, there: BoolArray, error: FloatArray, path: Path) -> None:
    """Draw the error of the answers that are kept over their share."""
    from matplotlib import pyplot as plt

    order = np.argsort(-confidence[there])
    kept = np.arange(1, len(order) + 1)
    risk = np.cumsum(error[there][order]) / kept
    fig, axes = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
    axes.plot(kept / len(order), risk, color="#1f6f8b")
    axes.set(xlabel="share of windows answered, surest first", ylabel="mean absolute error in bpm", xlim=(0, 1), ylim=(0, None))
    fig.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(fig)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("windows", "videos", "fingers", "speed", "package"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--windows", type=int, default=4000)
    parser.add_argument(
        "--grid",
        type=int,
        choices=(RoiGrid().rows, FINE),
        default=FINE,
        help="rows and columns of blocks; an estimate reads %(default)s, a map has 5",
    )
    parser.add_argument("--run", type=Path, help="measure these weights instead of those of the package")
    parser.add_argument("--beside", type=Path, help="a run with another network for the same windows")
    parser.add_argument("--figures", type=Path)
    given = parser.parse_args()
    show_machine()
    if given.what == "package":
        package(given.paths[0], given.figures)
        return
    if given.what == "videos":
        measure_videos(given.paths[0])
    elif given.what == "fingers":
        measure_fingers(given.paths[0])
    elif given.what == "windows":
        measure_windows(Estimator(given.run), given.windows, given.figures, given.beside, given.grid)
    else:
        measure_speed(Estimator(given.run))


if __name__ == "__main__":
    main()
