"""Pages, tables and plots of builds and of trained networks.

=========================  ==================================================================================
:mod:`.maps_report`        the report of a build as one HTML page, or its tables
:mod:`.recording_page`     panels and section of one recording; :mod:`.quality` measures what ``quality.toml`` defines
:mod:`.face_outline`       where the blocks lie: on a drawn face, and on a frame where faces may be shown
:mod:`.runs_report`        the report of trained networks, as a page or tables
:mod:`.runs`               runs and their evaluations, grouped into cases; :mod:`.runs_tables` compares these
:mod:`.attention`          where on the map a network looks
:mod:`.published`          errors that others published, of ``published.csv``
:mod:`templates <.page>`   HTML, with titles and captions of figures and the paragraphs of the methods section
:mod:`.page`               parts of a page, and how a report is composed of them
:mod:`.charts`             figures of a page: data for plotly.js, maps as PNG
:mod:`.tables`             tables as HTML, JSON, CSV and LaTeX
:mod:`.provenance`         methods paragraph, references, versions
:mod:`.pictures`           plots as files, by matplotlib: a recording, a balanced training set
:mod:`.estimate_picture`   the plot of an estimate
=========================  ==================================================================================
"""

from stmap_pipeline.report.estimate_picture import draw_estimate
from stmap_pipeline.report.maps_report import ReportProgress, write_maps_report
from stmap_pipeline.report.pictures import check_picture, draw_histogram, draw_recording
from stmap_pipeline.report.runs_report import write_runs_report

__all__ = [
    "ReportProgress",
    "check_picture",
    "draw_estimate",
    "draw_histogram",
    "draw_recording",
    "write_maps_report",
    "write_runs_report",
]
