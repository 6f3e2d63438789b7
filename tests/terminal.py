"""What the command line says on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys


def said_on_a_terminal(*words: str, columns: int) -> tuple[int, bytes]:
    """Run the installed command on a pseudo-terminal: its exit code, and what it said there."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, columns))
    command = [sys.executable, "-m", "liveaction_onnx", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                more = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            said += more
    os.close(ours)
    return process.returncode, said
