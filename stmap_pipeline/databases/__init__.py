"""One module per database: where its recordings, clocks and labels are on disk. Nothing here opens a video.

======================  =====================================================================
:mod:`.base`            what a database is to the pipeline
:mod:`.vipl_hr`         VIPL-HR, with its official folds (:mod:`.vipl_hr_known`: its known defects)
:mod:`.mmse_hr`         MMSE-HR and the same layout of BP4D+
:mod:`.folder`          anybody's own videos (:mod:`.folder_spec`, :mod:`.folder_entries`: its description)
:mod:`.synthetic`       what ``stmap synth`` writes, in one of the layouts above, with its truth
:mod:`.labels`          heart rate and pulse of a recording, read from its label files
:mod:`.clocks`          a file of frame times
:mod:`.tables`          numbers from a text file, within limits
:mod:`.tree`            walking a source folder
:mod:`.natural`         2 before 10
======================  =====================================================================

To add a database, write one module with a ``DATABASE``, add its line to :mod:`stmap_pipeline.registry`, and a small
fake tree to the conformance tests.
"""
