"""The maps of one video, and the pulse in them: cells for Jupyter, VS Code, Spyder or PyCharm, or a script.

python examples/maps_of_one_video.py video.mp4      # writes video.png
"""

# %% Find the face, average its blocks in each frame, and estimate the heart rate
import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from stmap_pipeline.evaluation.estimate import estimate_video
from stmap_pipeline.maps import make_stmap
from stmap_pipeline.signals import dominant_rate_bpm, face_mean, pos, resample_uniform

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("video", type=Path, help="a video of one face")
# in a notebook: set the path here
video = Path("video.mp4") if "ipykernel" in sys.modules else parser.parse_args().video
estimate = estimate_video(video)
blocks = estimate.blocks
if blocks is None:
    sys.exit(estimate.message)
print(f"{len(blocks.times_s)} frames, {blocks.times_s[-1]:.1f} s, {blocks.grid.rows} x {blocks.grid.cols} blocks")
print(f"heart rate {estimate.heart_rate_bpm:.1f} bpm" if not estimate.reason else estimate.message)

# %% A map of the first ten seconds: blocks are rows, time runs to the right, and each row has 0 to 255
rate_hz = 30.0
samples = min(300, int(blocks.times_s[-1] * rate_hz))
stmap = make_stmap(blocks, 0, samples, color="yuv", fill="interpolate", rate_hz=rate_hz)
print(f"map {stmap.values.shape}: blocks, samples, Y U V")

# %% The pulse by POS, from the mean of all blocks
times_s, color = resample_uniform(blocks.times_s, face_mean(blocks), rate_hz)
pulse = pos(color, rate_hz)
print(f"strongest rate {dominant_rate_bpm(pulse, rate_hz):.1f} bpm")

# %% Both in one figure
figure, (above, below) = plt.subplots(2, layout="constrained")
above.imshow(stmap.values[:, :, 1], aspect="auto", cmap="gray", extent=(0, samples / rate_hz, len(stmap.values), 0))
above.set(title="U of each block", ylabel="block")
below.plot(times_s[:samples], pulse[:samples])
below.set(title="pulse by POS", xlabel="time in s", xlim=(0, samples / rate_hz))
figure.savefig(video.with_suffix(".png"))
