"""`python -m liveaction_onnx`."""

from liveaction_onnx.cli import main

raise SystemExit(main())
