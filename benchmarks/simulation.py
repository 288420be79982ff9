"""How many windows are simulated in a second, and how hard each damage makes them for POS.

    python benchmarks/simulation.py [--windows N] [--processes N] [--damages]

The speed is that of processes of one thread each, by the clock, and by CPU time. With ``--damages``, a table of what each damage does to
windows that have no other one: amplitude of the pulse in green and signal-to-noise ratio of POS relative to the same windows without
damage, and the error of POS.
"""

from __future__ import annotations

import argparse
import os

# set before NumPy's libraries are asked for work
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import multiprocessing
import resource
import time

import numpy as np
import numpy.typing as npt

from stmap_pipeline.signals.classical import chrom, green, pos
from stmap_pipeline.signals.spectrum import dominant_rate_bpm
from stmap_pipeline.simulation import SHARES, SimulatedWindows, SimulationConfig, simulate_windows

RATE_HZ = 30.0
CLOSE_BPM = 3.0
BAND_BPM = (40.0, 180.0)


def work(seed: int, windows: int) -> tuple[float, float, float]:
    """Return seconds of the clock, seconds of CPU and the peak of memory in MB for windows in batches of 256."""
    simulate_windows(64, seed)
    clock, cpu = time.perf_counter(), time.process_time()
    for number in range(windows // 256):
        simulate_windows(256, (seed, number))
    used = time.perf_counter() - clock, time.process_time() - cpu
    return *used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_speed(windows: int, processes: int) -> None:
    """Print windows per second."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        figures = np.array(pool.starmap(work, [(seed, windows) for seed in range(processes)]))
    done = windows // 256 * 256
    print(f"{processes} processes: {processes * done / figures[:, 0].max():.0f} windows/s by the clock,", end=" ")
    print(f"{done / figures[:, 1].mean():.0f} windows per CPU second, peak {figures[:, 2].max():.0f} MB a process")


def face(windows: SimulatedWindows) -> npt.NDArray[np.float64]:
    """(B, T, 3) mean over the blocks that are seen, 0 change where none is."""
    known = np.isfinite(windows.means)
    level = np.where(known, windows.means, 0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    relative = np.where(known, windows.means / np.maximum(level, 1e-3), 1)
    return np.asarray(relative.mean(axis=2) * level.mean(axis=2), dtype=np.float64)


def pulse_amplitude(signal: npt.NDArray[np.float64], rate_bpm: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Amplitude (B,) of signals (B, T) within 3 bpm of a rate."""
    time_s, taper = np.arange(signal.shape[1]) / RATE_HZ, np.hanning(signal.shape[1])
    centered = (signal - signal.mean(axis=1, keepdims=True)) * taper
    rates = (rate_bpm[:, None] + np.linspace(-3, 3, 13)) / 60
    return np.asarray(
        np.abs(np.einsum("bt,brt->br", centered, np.exp(-2j * np.pi * rates[:, :, None] * time_s))).max(axis=1) * 2 / taper.sum()
    )


def snr_db(signal: npt.NDArray[np.float64], rate_bpm: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Power within 6 bpm of a rate and of its double against the rest of 40 to 240 bpm (de Haan and Jeanne, 2013)."""
    power = np.abs(np.fft.rfft((signal - signal.mean(axis=1, keepdims=True)) * np.hanning(signal.shape[1]), 4096)) ** 2
    bpm = np.fft.rfftfreq(4096, 1 / RATE_HZ) * 60
    near = (np.abs(bpm - rate_bpm[:, None]) < 6) | (np.abs(bpm - 2 * rate_bpm[:, None]) < 6)
    band = (bpm > 40) & (bpm < 240)
    return np.asarray(10 * np.log10((power * (near & band)).sum(axis=1) / (power * (~near & band)).sum(axis=1)))


def read(shares: dict[str, float], count: int) -> dict[str, npt.NDArray[np.float64]]:
    """Amplitude, ratio and error of windows of the same seed."""
    config = SimulationConfig(damaged_share=1, no_pulse_share=0, shares=shares, heart_rate_edges_bpm=BAND_BPM)
    windows = simulate_windows(count, 11, config)
    color = face(windows)
    waves = np.stack([pos(one, RATE_HZ) for one in color])
    relative = color[..., 1] / color[..., 1].mean(axis=1, keepdims=True) - 1
    rates = np.array([dominant_rate_bpm(one, RATE_HZ) for one in waves])
    return {
        "amplitude": pulse_amplitude(relative, windows.heart_rate_bpm),
        "snr": snr_db(waves, windows.heart_rate_bpm),
        "error": np.abs(rates - windows.heart_rate_bpm),
    }


def measure_damages(count: int) -> None:
    """Print a table in Markdown."""
    nothing = dict.fromkeys(SHARES, 0.0)
    alone = read(nothing, count)
    head = f"| none | 1 | {np.median(alone['snr']):.1f} dB | {100 * np.mean(alone['error'] < CLOSE_BPM):.0f} % |"
    print(
        "| damage | amplitude, 5 %, median, 95 % | change of SNR, 5 %, median, 95 % | POS within 3 bpm |",
        "|---|---|---|---|",
        head,
        sep="\n",
    )
    for damage in SHARES:
        found = read(nothing | {damage: 1.0}, count)
        ratio = np.quantile(found["amplitude"] / alone["amplitude"], (0.05, 0.5, 0.95))
        change = np.quantile(found["snr"] - alone["snr"], (0.05, 0.5, 0.95))
        close = 100 * np.mean(found["error"] < CLOSE_BPM)
        print(
            f"| {damage} | {', '.join(f'{one:.2f}' for one in ratio)} | {', '.join(f'{one:+.1f}' for one in change)} dB | {close:.0f} % |"
        )


def measure_methods(count: int) -> None:
    """Print the errors of classical methods on windows of unseen settings, rates of 40 to 180 bpm."""
    print("| windows | " + " | ".join(("GREEN", "CHROM", "POS")) + " |")
    for name, share in (("no damage", 0.0), ("half of them damaged", 0.5), ("all damaged", 1.0)):
        config = SimulationConfig.unseen(damaged_share=share, no_pulse_share=0.0, heart_rate_edges_bpm=BAND_BPM)
        windows = simulate_windows(count, 5, config)
        color = face(windows)
        cells = []
        for method in (green, chrom, pos):
            rates = np.array([dominant_rate_bpm(method(one, RATE_HZ), RATE_HZ) for one in color])
            error = np.abs(rates - windows.heart_rate_bpm)
            cells.append(f"{error.mean():.1f}, {np.median(error):.1f}, {100 * np.mean(error < CLOSE_BPM):.0f} %")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=2048, help="windows of each process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--damages", action="store_true", help="print the tables instead of the speed")
    choices = parser.parse_args()
    if choices.damages:
        measure_damages(choices.windows)
        measure_methods(choices.windows)
    else:
        measure_speed(choices.windows, choices.processes)


if __name__ == "__main__":
    main()
