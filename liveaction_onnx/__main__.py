"""`python -m liveaction_onnx`, and the command `liveaction-onnx`."""

from __future__ import annotations


def main() -> int:
    """Load and run the command line; give its exit code."""
    try:
        from liveaction_onnx import cli
    except KeyboardInterrupt:
        return 130  # interrupts.INTERRUPTED, which may not be loaded yet
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
