"""What of this machine can run a graph, and what is missing."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from liveaction_onnx import catalog
from liveaction_onnx.belief import check_golden
from liveaction_onnx.devices import PROVIDERS, Device, precisions, unnumbered
from liveaction_onnx.errors import LiveactionError, RuntimeMissingError
from liveaction_onnx.opening import open_on_device
from liveaction_onnx.runtime import clash_advice, installed_wheels, onnxruntime


@dataclass(frozen=True)
class Finding:
    """One device and whether it works."""

    device: str
    usable: bool

    detail: str
    """How far from the golden patch it is, or why it is not usable and what mends it."""


@dataclass(frozen=True)
class Report:
    """What was found."""

    python: str
    system: str

    wheels: dict[str, str]
    """The installed wheels of ONNX Runtime and their versions."""

    clash: str
    """What to do about more than one wheel; "" where there is no clash."""

    providers: tuple[str, ...]
    """The execution providers that ONNX Runtime offers, whether or not they work."""

    problem: str
    """Why ONNX Runtime cannot be used at all; "" where it can."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether some device works and no wheels clash."""
        return not self.clash and any(finding.usable for finding in self.findings)


def examine() -> Report:
    """Try every device with the golden patch."""
    wheels = installed_wheels()
    problem = ""
    providers: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    try:
        providers = tuple(onnxruntime().get_available_providers())
        findings = tuple(_try(unnumbered(kind)) for kind in PROVIDERS)
    except RuntimeMissingError as error:
        problem = str(error)
    return Report(
        python=platform.python_version(),
        system=platform.platform(),
        wheels=wheels,
        clash=clash_advice(wheels) if len(wheels) > 1 else "",
        providers=providers,
        problem=problem,
        findings=findings,
    )


def _try(device: Device) -> Finding:
    precision = precisions(device.kind)[0]
    try:
        graph = catalog.shipped_graph("uint8", precision)
        session = open_on_device(graph, device)
        off = check_golden(session, graph)
        session.close()
    except LiveactionError as error:
        return Finding(str(device), False, str(error))
    return Finding(str(device), True, f"golden patch within {off:.0f} levels of 255 ({precision})")
