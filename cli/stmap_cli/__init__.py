"""The command line of stmap: parse, call the library, draw, exit. No number is computed here.

:mod:`.main` holds the group, each command stands in a file of its own, :mod:`.console` writes for people.
Heavy imports stand inside the functions that need them, so that ``--help`` answers at once.
"""

# exit codes; 0: all done, 2 (wrong usage) is Click's own
ERROR, FAILED, INTERRUPTED = 1, 3, 130
