"""A small fake tree for each database: names, headers and line ends are true, the videos are garbage that nobody may open."""

import json
from collections.abc import Callable
from pathlib import Path

GARBAGE = b"\x00not a video"


def write(path: Path, content: str | bytes = GARBAGE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def vipl_recording(root: Path, place: str, *, frames: int = 90, clock: bool = True, wave: bool = True) -> Path:
    """Write one recording such as p1/v1/source1."""
    folder = root / place
    write(folder / "video.avi")
    write(folder / "gt_HR.csv", "HR\r\n75\r\n255\r\n77\r\n")
    write(folder / "gt_SpO2.csv", "SpO2\r\n98\r\n98\r\n98\r\n")
    if wave:
        write(folder / "wave.csv", "Wave\r\n" + "".join(f"{i % 50}\r\n" for i in range(180)))
    if clock:
        write(folder / "time.txt", "".join(f"{33 * i}\r\n" for i in range(frames)))
    return folder


def vipl_hr(root: Path) -> None:
    for place in ("p1/v1/source1", "p1/v1/source3", "p1/v1/source4", "p10/v9/source3", "p100/v1/source1"):
        vipl_recording(root / "data" / "p1-5", place)
    vipl_recording(root / "data", "p1/v1/source2", clock=False)
    vipl_recording(root / "data", "p16/v1-2/source1", wave=False)
    write(root / "Missing_data.txt", "p1/v7/source1\r\np97\\v1\\source1\r\np10/v9/source3\r\n")
    write(root / "ReadMe.pdf")


def mmse_pictures(root: Path, place: str, count: int = 3) -> Path:
    for number in range(count):
        write(root / place / f"{number}.jpg")
    return root / place


def mmse_physiology(root: Path, place: str, rate: str = "72.5") -> Path:
    write(root / place / "Pulse Rate_BPM.txt", f"{rate}\r\n" * 120)
    write(root / place / "BP_mmHg.txt", "101.25\r\n" * 120)
    write(root / place / "Resp_Volts.txt", "0.1\r\n" * 120)
    return root / place


def mmse_hr(root: Path) -> None:
    for task in ("T1", "T2", "T10"):
        mmse_pictures(root, f"first 10 subjects 2D/F013/{task}")
        mmse_physiology(root, f"first 10 subjects Phydata released/Phydata/F013/{task}")
    for subject in ("F014", "M002"):
        mmse_pictures(root, f"T10_T11_30Subjects/{subject}/T11")
        mmse_physiology(root, f"T10_T11_30PhyBPHRData/{subject}/T11")
    mmse_pictures(root, "T10_T11_30Subjects/F006/T11")  # pictures without physiology
    mmse_physiology(root, "T10_T11_30PhyBPHRData/F015/T10")  # physiology without pictures


FOLDER_TOML = """\
name = "my study"

[defaults]
camera = "webcam"

[[recording]]
video = "s01_rest.mp4"
subject = "s01"
scenario = "rest"
fold = 1
[[recording.label]]
kind = "heart_rate"
file = "s01_rest.csv"
column = "heart_rate_bpm"
time_column = "time_s"
missing = [255]

[[recording]]
video = "walk/*.MOV"
subject = "{stem}"
scenario = "{parent}"
[[recording.label]]
kind = "pulse"
file = "{dir}/{stem}.txt"
per_frame = true

[[recording]]
video = "pictures"
subject = "s01"
fold = 1
rate_hz = 20.0
[recording.extras]
skin_type = 5
"""


def folder(root: Path) -> None:
    write(root / "s01_rest.mp4")
    write(root / "s01_rest.csv", "time_s,heart_rate_bpm\n0,71\n1,255\n2,73\n")
    for name in ("s2", "s10"):
        write(root / "walk" / f"{name}.MOV")
        write(root / "walk" / f"{name}.txt", "0.5\n0.7\n0.6\n")
    write(root / "pictures" / "1.png")
    write(root / "database.toml", FOLDER_TOML)


def synthetic(root: Path) -> None:
    vipl_hr(root)
    names = ("p001_v1_source1", "p001_v1_source2", "p016_v1-2_source1")
    truth = [{"recording_id": name, "true_heart_rate_bpm": 72.5, "setting": "easy", "skin_tone": "light"} for name in names]
    document = {"format": "stmap-synthetic", "schema_version": 1, "layout": "vipl-hr", "recordings": truth}
    write(root / "synthetic.json", json.dumps(document))


def ubfc_phys(root: Path) -> None:
    for subject, task in ((1, 1), (1, 2), (1, 3), (2, 1), (10, 3)):
        folder = root / f"s{subject}"
        write(folder / f"vid_s{subject}_T{task}.avi")
        write(folder / f"bvp_s{subject}_T{task}.csv", "-12.61\r\n3.5\r\n" * 64)
        write(folder / f"eda_s{subject}_T{task}.csv", "0.41\r\n" * 8)
        write(folder / f"info_s{subject}.txt", f"s{subject}\r\nf\r\ntest\r\n")
        write(folder / f"selfReportedAnx_s{subject}.csv", "1\r\n")


TREES: dict[str, Callable[[Path], None]] = {
    "vipl-hr": vipl_hr,
    "mmse-hr": mmse_hr,
    "folder": folder,
    "synthetic": synthetic,
    "ubfc-phys": ubfc_phys,
}
