"""Layouts that drawn videos are written in: a module for each database, named as its adapter in :mod:`stmap_pipeline.databases`.

A layout plans its recordings, writes one of them (labels as the devices of that database record them, then the video), and
finishes the tree with the lists that the database ships. :mod:`.base` has what they share.
"""

from stmap_pipeline.synth.layouts.base import SETTINGS, Layout, SettingName

__all__ = ["SETTINGS", "Layout", "SettingName"]
