"""Graphs opened on devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liveaction_onnx import blocked, devices, lanes
from liveaction_onnx.belief import believe, see_placement
from liveaction_onnx.catalog import Graph
from liveaction_onnx.devices import Device
from liveaction_onnx.errors import (
    DeviceFailedError,
    DeviceMemoryError,
    DeviceUnavailableError,
    GraphError,
    OptionError,
)
from liveaction_onnx.lanes import Lanes
from liveaction_onnx.protobuf import WireError, graph_of
from liveaction_onnx.runtime import (
    as_ours,
    onnxruntime,
    preload_cuda,
    quiet_runtime,
    within_runtime,
)
from liveaction_onnx.session import Make, Session

Providers = Sequence[str | tuple[str, dict[str, Any]]]


def open_on_device(
    graph: Graph, device: Device, *, halo: int | None = None, options: Any = None
) -> Session:
    """Open `graph` on `device` and see that it really runs there.

    A GPU is believed only after it has run a patch: the result of a shipped graph is compared
    with the golden one, that of a foreign graph with what the CPU makes of the same patch.

    Raises
    ------
    DeviceUnavailableError
        Where there is no such device, with the reason and the command that mends it.
    DeviceFailedError
        Where it is there, but fails at running the graph, or its result is wrong.
    GraphError
        Where the graph is at fault.
    """
    ort = onnxruntime()
    if device.provider not in ort.get_available_providers():
        raise DeviceUnavailableError(f"{device}: {devices.why_no_provider(device.kind)}")
    if device.kind == "cpu":
        return _open_on_cpu(graph, halo, options, [(device.provider, {})], None)
    said = preload_cuda(ort) if device.kind == "cuda" else ""
    providers = [(device.provider, devices.provider_options(device, _precision(graph)))]
    mend = devices.how_to_mend(device.kind)
    try:
        with quiet_runtime(ort):
            session = _open_elsewhere(graph, device, halo, options, providers, None)
        if session.providers[0] == device.provider:
            believe(session, graph, _on_cpu)
            see_placement(session, graph)
            return session
    except (DeviceFailedError, DeviceMemoryError, GraphError) as error:
        # Is it the graph? Then it fails on the CPU too, and says why there.
        open_on_device(graph, Device("cpu"), halo=halo).close()
        raise DeviceFailedError(f"{device}: {error}; {mend}") from error
    lost = "; ".join([f"ONNX Runtime fell back to {session.providers[0]}", *said.splitlines()])
    raise DeviceUnavailableError(f"{device}: {lost}; {mend}")


def _on_cpu(graph: Graph) -> Session:
    """What others are compared with."""
    return open_on_device(graph, Device("cpu"), halo=0)


def _open_on_cpu(
    graph: Graph, halo: int | None, options: Any, providers: Any, more: Any
) -> Session:
    """A graph on the CPU, in the form that its kernels like where there is one."""
    how = halo, options, providers, more
    return _open_blocked(graph, *how) or _open_as_it_is(graph, *how)


_blocks: tuple[int, ...] = blocked.BLOCKS
"""What `_open_blocked` tries; what has worked once in this process is tried alone."""


def _open_blocked(
    graph: Graph, halo: int | None, options: Any, providers: Any, more: Any
) -> Session | None:
    """A shipped graph as the CPU's kernels like it; None where there is no such form of it, or it
    does not give what it should.
    """
    global _blocks
    if not graph.form or graph.form[1] != "fp32" or not blocked.for_this_processor():
        return None
    blocks = _blocks  # another thread may find out meanwhile, of another block than is tried here
    for block in blocks:
        variant = blocked.blocked_graph(graph, block)
        try:
            with quiet_runtime(onnxruntime()):
                session = _open_as_it_is(variant, halo, options, providers, more)
            if len(blocks) > 1:
                believe(session, variant)
        except (DeviceFailedError, GraphError):
            continue
        _blocks = (block,)
        return session
    _blocks = ()
    return None


def _open_as_it_is(
    graph: Graph, halo: int | None, options: Any, providers: Any, more: Any
) -> Session:
    """A graph on the CPU; in lanes, too, unless the caller says how it is run, or there is one
    processor only.
    """
    ort, cpu = onnxruntime(), Device("cpu")
    threads = 0 if options is not None else lanes.threads()

    def make_lane() -> Any:
        shared = devices.session_options(ort, cpu.kind, {}, threads=threads)
        return _maker(ort, graph, cpu, shared, providers, more)({})

    return Session(
        _maker(ort, graph, cpu, options, providers, more),
        cpu,
        data=graph.data,
        halo=halo,
        lanes=Lanes(make_lane) if threads else None,
    )


def _open_elsewhere(
    graph: Graph, device: Device, halo: int | None, options: Any, providers: Any, more: Any
) -> Session:
    """A graph on another device than the CPU; DirectML is told sizes where the options are ours."""
    make = _maker(onnxruntime(), graph, device, options, providers, more)
    told_sizes = device.kind == "dml" and options is None
    return Session(make, device, data=graph.data, halo=halo, told_sizes=told_sizes)


def open_with_providers(
    graph: Graph,
    providers: Providers,
    *,
    provider_options: Sequence[dict[str, Any]] | None = None,
    options: Any = None,
    halo: int | None = None,
) -> Session:
    """Open `graph` with the caller's own providers and options, as ONNX Runtime takes them.

    CUDA and DirectML are believed only after a patch, as in `open_on_device`.

    Raises
    ------
    DeviceUnavailableError
        Where one is not in this ONNX Runtime, or the first is not what the session ends up with.
    DeviceFailedError
        Where they fail at opening or running a graph that is right, or give a wrong result.
    OptionError
        Where these are no providers, or no options of theirs.
    """
    ort = onnxruntime()
    names = _names(providers, provider_options)
    there = ort.get_available_providers()
    missing = [name for name in names if name not in there]
    if missing:
        raise DeviceUnavailableError(
            f"{', '.join(missing)} is not in this ONNX Runtime, which has {', '.join(there)}"
        )
    if not devices.ON_CUDA.isdisjoint(names):
        preload_cuda(ort)
    device = devices.of_provider(names[0], devices.index_of(providers[0], provider_options))
    if names == [Device("cpu").provider]:
        return _open_on_cpu(graph, halo, options, list(providers), provider_options)
    try:
        session = _open_elsewhere(graph, device, halo, options, list(providers), provider_options)
    except GraphError as error:
        open_on_device(graph, Device("cpu"), halo=halo).close()  # fails too where it is the graph
        raise DeviceFailedError(f"{names[0]}: {error}") from error
    if session.providers[0] != names[0]:
        raise DeviceUnavailableError(
            f"{names[0]} was asked for, but ONNX Runtime chose {session.providers[0]}"
        )
    if device.kind in devices.PROVIDERS:  # others compile the graph for each size, for minutes
        believe(session, graph, _on_cpu)
    see_placement(session, graph)
    return session


def _names(providers: Providers, more: Any) -> list[str]:
    """The names of providers, after a look at what they are and at their options."""
    names = []
    for entry in providers if isinstance(providers, list | tuple) else [providers]:
        match entry:
            case str() if providers is not entry:
                names.append(entry)
            case (str() as name, dict()):
                names.append(name)
            case _:
                raise OptionError(
                    "providers: expected a list of names, or of (name, options) as ONNX Runtime "
                    f"takes them, got {entry!r}"
                )
    if not names:
        raise OptionError("providers: expected at least one")
    given = [] if more is None else more if isinstance(more, list | tuple) else [more]
    if more is not None and (
        len(given) != len(names) or not all(isinstance(each, dict) for each in given)
    ):
        raise OptionError(f"provider_options: expected a dict for each provider, got {more!r}")
    return names


def adopt(inference: Any, halo: int | None) -> Session:
    """Wrap the caller's own `onnxruntime.InferenceSession`.

    Raises
    ------
    OptionError
        Where it is none.
    """
    if not hasattr(inference, "get_providers"):
        raise OptionError(
            f"session: expected an onnxruntime.InferenceSession, got {type(inference).__name__}"
        )
    device = devices.of_provider(inference.get_providers()[0])
    return Session(lambda sizes: inference, device, data=None, halo=halo)


def _precision(graph: Graph) -> str:
    """What its convolutions compute in."""
    from liveaction_onnx import receptive  # needed for few graphs: kept out of the import

    if graph.form:
        return graph.form[1]
    try:
        return "fp16" if receptive.kernels_are_half(graph.data) else "fp32"
    except WireError:
        return "fp32"  # ONNX Runtime says what is wrong with it


def _maker(ort: Any, graph: Graph, device: Device, options: Any, providers: Any, more: Any) -> Make:
    """What opens `graph` in ONNX Runtime."""

    @within_runtime()
    def make(sizes: dict[str, int]) -> Any:
        chosen = options or devices.session_options(ort, device.kind, sizes)
        source = str(graph.path) if graph.path else graph.data
        try:
            # Its own fallback is off: where a run fails on a GPU, it prints so, opens the graph
            # on the CPU and goes on there, many times slower.
            return ort.InferenceSession(
                source,
                sess_options=chosen,
                providers=providers,
                provider_options=more,
                enable_fallback=0,
            )
        except Exception as error:  # ONNX Runtime's own classes differ from build to build
            where = f"{graph.label}: ONNX Runtime cannot open it{_why_no_graph(graph.data)}"
            raise as_ours(error, where, GraphError) from error

    return make


def _why_no_graph(data: bytes) -> str:
    """What to add where these bytes are no ONNX file; "" where they are one."""
    try:
        graph_of(data)
    except WireError:
        return (
            ", for it is no whole ONNX file; fetch it again, or export it to .onnx first where it "
            "is weights alone, as .pth and .safetensors are"
        )
    return ""
