"""The version of stmap, in a module without imports: every package writes it into its outputs."""

__version__ = "0.1.0"
