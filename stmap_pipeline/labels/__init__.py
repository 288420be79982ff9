"""Read label files and frame times of recordings: heart rate and pulse on the clock of the frames.

====================  =====================================================================
:mod:`.reader`        heart rate and pulse of a recording, read from its label files
:mod:`.heart_rate`    heart rate from RR intervals, a pulse wave or an ECG, by two estimators
:mod:`.beats`         beats of a wave, as peaks
:mod:`.beat_places`   exact places of the beats of a pulse
:mod:`.wave_ends`     the rate at the ends of a pulse, where a beat is seen in part
:mod:`.no_reading`    codes for "no finger", values that stand still, summary rows
:mod:`.rr_unit`       RR intervals whose sum or heart rate contradicts their unit
:mod:`.video_span`    the time of a label beside that of its video
:mod:`.wrong_column`  counters, times, saturations and waves where a heart rate should be
:mod:`.frame_times`   the times of the frames, read from a file
:mod:`.times`         numbers, dates, times of day and UNIX times as seconds of the video
:mod:`.label_file`    a label file of any format: what is asked of it, and which format it has
:mod:`.tables`        text tables of all usual shapes, within limits
:mod:`.rows`          text files with one series a line (UBFC-rPPG)
:mod:`.empatica`      Empatica E4
:mod:`.opensignals`   OpenSignals of BITalino and biosignalsplux
:mod:`.kubios`        text reports of Kubios HRV
:mod:`.labchart`      text files of LabChart
:mod:`.json_file`     JSON (PURE)
:mod:`.hdf5`          HDF5 (COHFACE) and MATLAB 7.3 (SCAMPS)
:mod:`.matlab`        MATLAB up to version 7 (MMPD, Kubios)
:mod:`.edf`           EDF and BDF (MAHNOB-HCI)
====================  =====================================================================

:func:`check_sources` reads and checks all files before the first frame is decoded; :func:`read_labels` needs the times of the frames.
The label of a window is computed by :mod:`stmap_pipeline.maps.windows`.
"""

from stmap_pipeline.labels.beats import find_beats
from stmap_pipeline.labels.frame_times import rate_problem, read_frame_times, span_problem, unit_problem
from stmap_pipeline.labels.heart_rate import heart_rate_from_rr, heart_rate_from_wave
from stmap_pipeline.labels.label_file import Columns, LabelFileError, format_of, read_columns
from stmap_pipeline.labels.reader import Labels, check_sources, read_labels, without_lag

__all__ = [
    "Columns",
    "LabelFileError",
    "Labels",
    "check_sources",
    "find_beats",
    "format_of",
    "heart_rate_from_rr",
    "heart_rate_from_wave",
    "rate_problem",
    "read_columns",
    "read_frame_times",
    "read_labels",
    "span_problem",
    "unit_problem",
    "without_lag",
]
