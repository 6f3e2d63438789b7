"""What all tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from clips import nearest

from liveaction_onnx import Upscaler

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT.parent / "shared" / "reference" / "2xLiveActionV1_SPAN.onnx"

BUILD_ALONE = "test_build.py"
"""What in tests/model needs no more than `[test]` brings: the rest runs where `[train]` is."""

collect_ignore = [
    str(path)
    for path in (ROOT / "tests" / "model").glob("*.py")
    if path.name != BUILD_ALONE
    and not all(find_spec(name) for name in ("scipy", "ssimulacra2", "torch"))
]


def pytest_configure() -> None:
    """Take interrupts: a shell has its background jobs ignore them, and what they start, too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Name the versions that a result depends on."""
    import onnxruntime
    import PIL

    versions = f"numpy {np.__version__}, onnxruntime {onnxruntime.__version__}, "
    return versions + f"pillow {PIL.__version__}, {onnxruntime.get_available_providers()}"


@pytest.fixture
def reference_graph() -> Path:
    """The rival's graph, which is not part of this repository."""
    if not REFERENCE.exists():
        pytest.skip("the reference graph is not beside this checkout")
    return REFERENCE


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    """What repeats each px, so that results can be known; where the shipped graph is meant, a file
    of tests has its own.
    """
    with Upscaler(nearest(), device="cpu", halo=0) as upscaler:
        yield upscaler
