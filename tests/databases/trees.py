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


def ubfc_rppg(root: Path) -> None:
    for name, video in (("5-gt", "vid.avi"), ("10-gt", "10.avi"), ("after-exercise", "vid.avi")):
        write(root / "DATASET_1" / name / video)
        write(root / "DATASET_1" / name / "gtdump.xmp", "".join(f"{11 + 16 * row},68,99,{20 + row % 40}\n" for row in range(120)))
    for number in (1, 10, 21, 49):
        write(root / "DATASET_2" / f"subject{number}" / "vid.avi")
        lines = (range(90), [75] * 90, [index / 30 for index in range(90)])
        text = "\n".join("   " + "   ".join(f"{value:.7e}" for value in line) for line in lines)
        write(root / "DATASET_2" / f"subject{number}" / "ground_truth.txt", text + "\n")


def pure(root: Path) -> None:
    start = 1392643993642815000
    stamps = [start + round(index * 1e9 / 30) for index in range(60)]
    values = [
        {
            "Timestamp": start - 500_000_000 + round(index * 1e9 / 60),
            "Value": {"waveform": index % 50, "pulseRate": 64, "o2saturation": 98},
        }
        for index in range(180)
    ]
    content = json.dumps({"/FullPackage": values, "/Image": [{"Timestamp": one} for one in stamps]})
    for key in ("01-01", "01-06", "06-01", "10-02"):
        folder = root / key / key if key != "10-02" else root / key
        for stamp in stamps[:3]:
            write(folder / f"Image{stamp}.png")
        write(folder.parent / f"{key}.json", content)  # 10-02: the file lies beside the folder


def cohface(root: Path) -> None:
    for subject, session in ((1, 0), (1, 2), (2, 0), (10, 3)):
        write(root / str(subject) / str(session) / ("data.mkv" if subject == 10 else "data.avi"))
        write(root / str(subject) / str(session) / "data.hdf5")
    for protocol, stems in (("all", ("1/0", "1/2", "2/0", "10/3")), ("clean", ("1/0", "2/0")), ("natural", ("1/2", "10/3"))):
        for name, wanted in (("all", "1 2 10"), ("train", "1"), ("dev", "10"), ("test", "2")):
            listed = [f"{stem}/data\n" for stem in stems if stem.split("/")[0] in wanted.split()]
            write(root / "protocols" / protocol / f"{name}.txt", "".join(listed))


def mmpd(root: Path) -> None:
    rows = ["p,light,motion,exercise,skin_color,gender,glasser,hair_cover,makeup,file"]
    for subject, number in ((1, 0), (1, 19), (2, 0), (10, 7)):
        write(root / f"subject{subject}" / f"p{subject}_{number}.mat")
        motion = "Watching Videos" if number == 7 else "Stationary"
        rows.append(f"{subject},LED-low,{motion},False,4,male,True,False,False,/subject{subject}/p{subject}_{number}.mat")
    write(root / "meta_label.csv", "\n".join(rows[:-2] + rows[-1:]) + "\n")  # one file is not in the list
    write(root / "size.csv", "p1_0.mat,1000\n")


def scamps(root: Path) -> None:
    for number in (1, 2, 2800):
        write(root / "scamps_videos" / f"P{number:06d}.mat")
    write(root / "ScampsTrainTestSplit.csv", "P000001.mat,Train\n")


def bp4d_plus(root: Path) -> None:
    for subject, task in (("F001", "T1"), ("F001", "T10"), ("F042", "T11"), ("M058", "T1")):
        mmse_physiology(root, f"Physiology/{subject}/{task}")
        write(root / "2D+3D" / f"{subject}.zip")
    mmse_pictures(root, "unpacked/M002/T3")  # pictures without physiology
    mmse_pictures(root, "unpacked/F001/T10")  # one task of an archive is unpacked
    mmse_physiology(root, "Physiology/F003/T1")  # physiology without pictures
    write(root / "2DFeatures" / "F001_T1.mat")
    write(root / "BP4D+UserGuide_v0.2.pdf")


def mahnob_hci(root: Path) -> None:
    for session, subject, kind in ((2, 1, "S_Trial1_emotion"), (130, 1, "N_Trial1_emotion"), (2922, 23, "Trial21_taggingImages1")):
        folder = root / "Sessions" / str(session)
        write(folder / f"P{subject}-Rec2-2009.09.01.10.51.55_C1 trigger _C_Section_22.avi")
        write(folder / f"P{subject}-Rec2-2009.09.01.10.51.55_BW1_C_Section_22.avi")  # a gray camera
        write(folder / f"Part_{subject}_{kind}.bdf")
        write(folder / "session.xml", '<?xml version="1.0"?><session cutLenSec="30.2" vidRate="60.9708"/>')
    write(root / "Sessions" / "3000" / "P30-Rec1-2009_C1 trigger _C_Section_2.avi")  # without signals
    write(root / "Sessions" / "3002" / "Part_30_S_Trial1_emotion.bdf")  # without a video


def ibvp(root: Path) -> None:
    for key in ("p01_a", "p01_d", "p08_b", "p33_c"):
        for number in range(3):
            write(root / key / f"{key}_rgb" / f"{number}.bmp")
            write(root / key / f"{key}_t" / f"{number}.raw")
        write(root / key / f"{key}_bvp.csv", "BVP,SQPhysMD,SQ1,SQ2,Perfusion_Value\n" + "0.25,1,1,1,0.4\n" * 90)


def v4v(root: Path) -> None:
    first, second = root / "Phase 1_ Training_Validation sets", root / "Phase 2_ Testing set"
    rates = ", ".join(["78.5"] * 75)
    pressure = "101.25\n" * 3000
    for stem in ("F001_T1", "M010_T10"):
        write(first / "Videos" / "train-001_of_002" / f"{stem}.mkv")
        write(first / "Ground truth" / "Physiology" / f"{stem}.txt", f"{stem}.mkv, HR, {rates}\n{stem}.mkv, RR, {rates}\n")
        write(first / "Ground truth" / "BP_raw_1KHz" / f"{stem.replace('_', '-')}-BP.txt", pressure)
    write(first / "Videos" / "valid" / "F002_T3.mkv")
    write(second / "blood_pressure" / "val_set_bp" / "F002-T3.txt", pressure)
    write(second / "validation_set_gt_release.txt", f"F002_T3.mkv, HR, {rates}\nF002_T3.mkv, RR, {rates}\n")
    write(second / "Videos" / "Test" / "test" / "F003_T2.mkv")  # the test set has no labels here


def mcd_rppg(root: Path) -> None:
    rows = ["patient_id,age,sex,bmi,pulse,step,camera,view,video,meta,ppg_sync"]
    for number, camera, step in (
        ("1020", "FullHDwebcam", "before"),
        ("1020", "IriunWebcam", "after"),
        ("4952", "USBVideo", "before"),
        ("7412", "USBVideo", "after"),
    ):
        stem = f"{number}_{camera}_{step}"
        write(root / "video" / f"{stem}.avi")
        times = [f"2024-03-05 10:00:{index / 30:09.6f}" for index in range(60)]
        write(root / "meta" / f"{stem}.txt", "".join(f"{index}  {time}\n" for index, time in enumerate(times)))
        write(root / "ppg_sync" / f"{stem}.txt", "".join(f"{index % 40} 0.003\n" for index in range(60)))
        rows.append(f"{number},23.0,F,19.03,100.0,{step},{camera},front,video/{stem}.avi,meta/{stem}.txt,ppg_sync/{stem}.txt")
    write(root / "db.csv", "\n".join(rows[:-1]) + "\n")  # one video is not in the list
    write(root / "readme.txt", "MCD-rPPG")


TREES: dict[str, Callable[[Path], None]] = {
    "bp4d-plus": bp4d_plus,
    "cohface": cohface,
    "folder": folder,
    "ibvp": ibvp,
    "mahnob-hci": mahnob_hci,
    "mcd-rppg": mcd_rppg,
    "mmpd": mmpd,
    "mmse-hr": mmse_hr,
    "pure": pure,
    "scamps": scamps,
    "synthetic": synthetic,
    "ubfc-phys": ubfc_phys,
    "ubfc-rppg": ubfc_rppg,
    "v4v": v4v,
    "vipl-hr": vipl_hr,
}
