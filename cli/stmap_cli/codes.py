"""Exit codes; 0 is all done, and 2 (wrong usage) is Click's own."""

ERROR = 1
FAILED = 3
INTERRUPTED = 130
