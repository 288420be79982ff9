"""Layouts of an export: which files a trainer of other people reads. One module each, with a line in the registry ``export_layouts``.

===================  ===========================================================================
:mod:`.base`         what each layout is told and must do
:mod:`.hdf5`         one HDF5 file of all windows
:mod:`.png`          one image for each window and color space
:mod:`.npy`          NumPy arrays of all windows: maps, heart rate, pulse, folds
:mod:`.rhythmnet`    arrays and tables that two reproductions of RhythmNet load
:mod:`.nest`         images and labels of whole recordings that NEST-rPPG loads
===================  ===========================================================================
"""
