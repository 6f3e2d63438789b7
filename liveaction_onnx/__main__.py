"""`python -m liveaction_onnx`, and the command `liveaction-onnx`."""

from __future__ import annotations

from liveaction_onnx.exits import INTERRUPTED


def main() -> int:
    """Load and run the command line; give its exit code."""
    try:
        from liveaction_onnx import cli
    except KeyboardInterrupt:
        return INTERRUPTED
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
