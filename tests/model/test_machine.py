"""What a figure is said to have been measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.machine import processor


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("fpu sse2", "A Processor"),
        ("fpu avx avx2 fma", "A Processor with AVX2"),
        ("fpu avx2 avx512f", "A Processor with AVX-512"),
        ("fpu avx2 avx512f avx512_bf16", "A Processor with AVX-512 bf16"),
    ],
)
def test_a_processor_is_named_with_what_makes_it_fast(
    flags: str, said: str, tmp_path: Path
) -> None:
    information = tmp_path / "cpuinfo"
    one = f"processor\t: 0\nmodel name\t: A Processor\nflags\t\t: {flags}\n\n"
    information.write_text(one + one.replace(": 0", ": 1"))
    assert processor(information) == said


def test_where_the_system_tells_of_no_processor_that_is_no_error(tmp_path: Path) -> None:
    assert isinstance(processor(tmp_path / "none"), str)
