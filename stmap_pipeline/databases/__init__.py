"""One module per database: where its recordings, clocks and labels are on disk. Nothing here opens a video.

============================  =====================================================================
:mod:`.base`                  the record of a database; functions that walk a source folder
:mod:`.vipl_hr`               VIPL-HR, with its official folds and its known defects
:mod:`.mmse_hr`               MMSE-HR and the same layout of BP4D+
:mod:`.ubfc_phys`             UBFC-Phys
:mod:`.folder`                user videos: a folder of videos, or one video
:mod:`.folder_description`    ``database.toml`` and ``database.csv`` of such a folder
:mod:`.synthetic`             drawn videos of ``stmap synth`` in one of the layouts above, with their true heart rates
============================  =====================================================================

To add a database, write one module with a ``DATABASE``, add its line to :mod:`stmap_pipeline.registry`, and add a small
tree of files to the conformance tests; see ``docs/how-to/add-a-database.md``.
"""
