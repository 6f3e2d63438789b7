"""Where levers are opened, and a session of ONNX Runtime that is opened there or says why not."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liveaction_onnx import catalog, devices
from liveaction_onnx.devices import Device

Providers = list[tuple[str, dict[str, str]]]
"""ONNX Runtime's providers with their options, the wanted one first."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

LINES = 3
"""How many of the last lines of ONNX Runtime's log are kept as its reason."""


class UnavailableError(Exception):
    """The lever cannot be had here."""


@dataclass(frozen=True)
class Place:
    """Where levers are opened, and the one size that they are opened for."""

    ort: Any
    """The module `onnxruntime`."""

    device: Device
    width: int
    height: int

    @property
    def precision(self) -> str:
        """What the library computes in there."""
        return devices.precisions(self.device.kind)[0]

    def options(self) -> Any:
        """The library's session options."""
        return devices.session_options(self.ort, self.device.kind, {})

    def refuse_missing(self, provider: str) -> None:
        """Raise `UnavailableError` where this ONNX Runtime does not have a provider."""
        there = self.ort.get_available_providers()
        if provider not in there:
            raise UnavailableError(
                f"{provider} is not in this ONNX Runtime, which has {', '.join(there)}"
            )

    def session(
        self, form: tuple[str, str], wanted: str, options: Any, providers: Providers | None
    ) -> Any:
        """Open a shipped graph by (dtype, precision), and see that the wanted provider has it.

        ONNX Runtime's own fallback is off: it would print what it refuses and go on elsewhere.
        `providers` is None where `options` bring one.
        """
        with heard() as said:
            session = self.ort.InferenceSession(
                catalog.shipped_graph(*form).data,
                sess_options=options,
                providers=providers,
                enable_fallback=0,
            )
        first = session.get_providers()[0]
        if first != wanted:
            raise UnavailableError(
                ": ".join([f"ONNX Runtime fell back to {first}", *said[-LINES:]])
            )
        return session


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Collect what goes to stderr meanwhile, ONNX Runtime's log among it; then it is let through.

    Some reasons are there alone: a provider whose libraries do not load is left out, no more.
    """
    lines: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said = file.read()
            os.write(2, said)
            text = _COLOUR.sub("", said.decode(errors="replace"))
            lines += filter(None, map(str.strip, text.splitlines()))
