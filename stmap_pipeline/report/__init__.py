"""Pages and pictures of what was built.

=====================  ====================================================================
:mod:`.maps`           the report of a build as one HTML file, or its tables
:mod:`.runs`           the report of trained networks, likewise; :mod:`.published` holds what others published
:mod:`.page`           the frame of a page: read there how a report is put together
:mod:`.figures`        charts as inline SVG: histogram, strip plot, lines
:mod:`.agreement`      scatter, Bland-Altman, bars with intervals
:mod:`.tables`         a table once, as HTML, JSON, CSV and LaTeX
:mod:`.provenance`     methods paragraph, references, versions
:mod:`.picture`        one recording: map, pulse, heart rate and spectrum in one file
:mod:`.histogram`      heart rates of a training set before and after it was balanced
=====================  ====================================================================

Below them, :mod:`.summary`, :mod:`.quality`, :mod:`.metrics` and :mod:`.detail` say what a report of maps shows;
:mod:`.svg`, :mod:`.scale` and :mod:`.png` draw it. For runs, :mod:`.runs_read` reads them, :mod:`.runs_cases` joins those that differ in
their seed, :mod:`.runs_effects` compares them, and :mod:`.runs_tables`, :mod:`.runs_figures`, :mod:`.runs_attention` and :mod:`.runs_about` are the
parts of their page.
"""

from stmap_pipeline.report.histogram import draw_histogram
from stmap_pipeline.report.maps import ReportProgress, write_maps_report
from stmap_pipeline.report.picture import draw_recording
from stmap_pipeline.report.runs import write_runs_report

__all__ = ["ReportProgress", "draw_histogram", "draw_recording", "write_maps_report", "write_runs_report"]
