"""`python -m liveaction_onnx`, and the command `liveaction-onnx`."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys

from liveaction_onnx.exits import FAILED, INTERRUPTED

_NOBODY_READS = [errno.EPIPE]
"""What printing meets where its reader has gone."""

if sys.platform == "win32":
    _NOBODY_READS.append(errno.EINVAL)


def main() -> int:
    """Load and run the command line; give its exit code."""
    # None without a console on Windows, and where whoever starts it has closed it
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        from liveaction_onnx import cli
    except KeyboardInterrupt:
        return INTERRUPTED
    _print_any_name()
    try:
        return cli.main()
    except OSError as error:  # of printing: all else is an error of ours
        if error.errno not in _NOBODY_READS:
            cli.say(f"cannot be printed: {error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _print_any_name() -> None:
    """Have names printed whose letters the encoding of the output lacks, or which are in none.

    Python raises an error there, long after what was asked for is done. In UTF-8 the bytes of a
    name come out as they are, so that it can be used; elsewhere letters become escapes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # None without a console on Windows
        exact = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if exact else "backslashreplace")


if __name__ == "__main__":
    raise SystemExit(main())
