"""A model, open on one device, in as many of its forms as have been needed."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from liveaction_onnx import catalog, devices
from liveaction_onnx.catalog import Graph
from liveaction_onnx.devices import Device
from liveaction_onnx.errors import (
    ClosedError,
    DeviceFailedError,
    DeviceUnavailableError,
    OptionError,
)
from liveaction_onnx.opening import Providers, adopt, open_on_device, open_with_providers
from liveaction_onnx.session import Session

Load = Callable[[str, str], Graph]
"""(dtype, precision) to the graph of that form; a foreign model has one for all."""

logger = logging.getLogger("liveaction_onnx")
_told: set[str] = set()


class Forms:
    """Sessions by the dtype that they take. Safe to use from several threads."""

    def __init__(
        self,
        first: Session,
        open_form: Callable[[str], Session] | None,
        graph: Callable[[], Graph] | None,
    ) -> None:
        """`open_form` opens the form for another dtype; None where there is only one form. `graph`
        loads the first one's graph; None where that is not at hand.
        """
        self.first = first
        self._graph = graph
        self._open_form = open_form
        self._sessions = {first.facts.dtype: first}
        self._lock = threading.Lock()
        self._closed = False

    @property
    def digest(self) -> str:
        """SHA-256 of the first form's bytes; "" where they are not at hand."""
        return "" if self._graph is None else hashlib.sha256(self._graph().data).hexdigest()

    def best_for(self, dtype: str) -> Session:
        """The session of the form for a dtype, or of the only one."""
        with self._lock:
            if self._closed:
                raise ClosedError("the Upscaler has been closed")
            if self._open_form is None:
                return self.first
            if dtype not in self._sessions:
                self._sessions[dtype] = self._open_form(dtype)
            return self._sessions[dtype]

    def close(self) -> None:
        """Close every session."""
        with self._lock:
            self._closed = True
            for session in self._sessions.values():
                session.close()


def open_forms(
    model: Any,
    *,
    device: str,
    providers: Providers | None,
    provider_options: Sequence[dict[str, Any]] | None,
    session_options: Any,
    session: Any,
    precision: str,
    halo: int | None,
) -> Forms:
    """Open `model` where and as the caller asked; see `Upscaler` for the arguments."""
    if device != "auto" and (providers is not None or session is not None):
        raise OptionError("device, providers and session exclude each other: give one of them")
    if session is not None:
        if providers is not None or provider_options is not None or session_options is not None:
            raise OptionError("session excludes providers, provider_options and session_options")
        if precision != "auto":
            raise OptionError("precision: a session has one of its own; leave it at 'auto'")
        return Forms(adopt(session, halo), None, None)
    if session_options is not None and not hasattr(session_options, "add_session_config_entry"):
        raise OptionError(
            "session_options: expected onnxruntime.SessionOptions, "
            f"got {type(session_options).__name__}"
        )
    load, shipped = _loader(model, precision)
    if providers is not None:
        named = "fp32" if precision == "auto" else precision

        def with_providers(dtype: str) -> Session:
            return open_with_providers(
                load(dtype, named),
                providers,
                provider_options=provider_options,
                options=session_options,
                halo=halo,
            )

        another = with_providers if shipped else None
        return Forms(with_providers("uint8"), another, lambda: load("uint8", named))
    if provider_options is not None:
        raise OptionError("provider_options goes with providers")

    def on_device(dtype: str, device: Device, precision: str) -> Session:
        return open_on_device(load(dtype, precision), device, halo=halo, options=session_options)

    first, used = _open_first(on_device, devices.parse_device(device), precision, shipped)
    rest = (lambda dtype: on_device(dtype, first.device, used)) if shipped else None
    return Forms(first, rest, lambda: load("uint8", used))


def _loader(model: Any, precision: str) -> tuple[Load, bool]:
    """What loads the forms of a model, and whether it is the shipped one, which has several."""
    if not isinstance(model, str | os.PathLike | bytes):
        raise OptionError(f"model: expected a name, a path or bytes, got {type(model).__name__}")
    if model == catalog.DEFAULT_MODEL:
        return catalog.shipped_graph, True
    if precision != "auto":
        raise OptionError("precision: a foreign graph has one of its own; leave it at 'auto'")
    foreign = catalog.foreign_graph(model)
    return lambda dtype, precision: foreign, False


def _open_first(
    on_device: Callable[[str, Device, str], Session],
    device: Device | None,
    precision: str,
    shipped: bool,
) -> tuple[Session, str]:
    """The first device and precision that work, and that precision."""
    reasons: list[str] = []
    for candidate in [device] if device else devices.candidates():
        wanted = devices.precisions(candidate.kind) if precision == "auto" else (precision,)
        for name in wanted if shipped else wanted[-1:]:
            try:
                opened = on_device("uint8", candidate, name)
            except DeviceFailedError as error:
                reasons.append(f"{name}: {error}")
                continue
            except DeviceUnavailableError as error:
                reasons.append(str(error))
                break  # another precision would not bring it back
            _tell(opened, reasons)
            return opened, name
    raise DeviceUnavailableError("\n".join(reasons))


def _tell(session: Session, reasons: list[str]) -> None:
    """Log once why something better was passed over: loudly where there is a GPU to miss."""
    text = (
        f"running on {session.device} {session.facts.precision}; passed over: {'; '.join(reasons)}"
    )
    if reasons and text not in _told:
        _told.add(text)
        logger.log(logging.WARNING if devices.has_gpu() else logging.INFO, "%s", text)
