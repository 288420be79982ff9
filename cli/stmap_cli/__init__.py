"""The command line of stmap: parse, call the library, draw, exit. No number is computed here.

:mod:`.main` holds the group, each command stands in a file of its own, :mod:`.console` writes for people.
Heavy imports stand inside the functions that need them, so that ``--help`` answers at once.
"""
