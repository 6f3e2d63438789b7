"""The exit codes of the command line."""

OK, FAILED, USAGE, NO_DEVICE = 0, 1, 2, 3

INTERRUPTED = 130
"""As shells have it of what Ctrl+C ends."""
