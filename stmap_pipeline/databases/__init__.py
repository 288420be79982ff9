"""One module per database: where its recordings, clocks and labels are on disk. Nothing here opens a video.

============================  =====================================================================
:mod:`.base`                  what a database is to the pipeline; walking a source folder
:mod:`.vipl_hr`               VIPL-HR, with its official folds and its known defects
:mod:`.mmse_hr`               MMSE-HR and the same layout of BP4D+
:mod:`.folder`                user videos: a folder of videos, or one video
:mod:`.folder_description`    ``database.toml`` and ``database.csv`` of such a folder
:mod:`.synthetic`             what ``stmap synth`` writes, in one of the layouts above, with its truth
============================  =====================================================================

To add a database, write one module with a ``DATABASE``, add its line to :mod:`stmap_pipeline.registry`, and a small
fake tree to the conformance tests.
"""
