"""The version of stmap. It stands on the ground floor, for outputs of every package say it."""

__version__ = "0.1.0"
