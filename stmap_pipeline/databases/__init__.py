"""One module per database: where its recordings, clocks and labels are on disk. Nothing here opens a video.

============================  =====================================================================
:mod:`.base`                  the record of a database; functions that walk a source folder
:mod:`.ubfc_rppg`             UBFC-rPPG, both parts
:mod:`.pure`                  PURE
:mod:`.vipl_hr`               VIPL-HR, with its official folds and its known defects
:mod:`.cohface`               COHFACE, with the sets of its protocols
:mod:`.ubfc_phys`             UBFC-Phys
:mod:`.mmpd`                  MMPD, arrays in MATLAB files
:mod:`.scamps`                SCAMPS, rendered faces in MATLAB files
:mod:`.mmse_hr`               MMSE-HR; :mod:`.bp4d_plus`: BP4D+, images in archives, with published folds
:mod:`.mahnob_hci`            MAHNOB-HCI, with an electrocardiogram
:mod:`.ibvp`                  iBVP
:mod:`.v4v`                   V4V, with the sets of the challenge
:mod:`.mcd_rppg`              MCD-rPPG, with the folds of its authors
:mod:`.folder`                user videos: a folder of videos, or one video
:mod:`.folder_description`    ``database.toml`` and ``database.csv`` of such a folder
:mod:`.synthetic`             drawn videos of ``stmap synth`` in one of the layouts above, with their true heart rates
============================  =====================================================================

To add a database, write one module with a ``DATABASE``, add its line to :mod:`stmap_pipeline.registry`, and add a small
tree of files to the conformance tests; see ``docs/how-to/add-a-database.md``.
"""
