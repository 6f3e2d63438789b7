"""Model names to graphs: the ones that ship in the package, and those fetched once by name and
checked by hash.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveaction_onnx import weights
from liveaction_onnx.errors import GraphError, GraphHashError, ModelNotFoundError

DEFAULT_MODEL = "liveaction-2x"
"""The model that ships in the package, used where none is named."""

_GRAPHS = Path(__file__).parent / "graphs"
_HOME_VARIABLE = "LIVEACTION_ONNX_HOME"


@dataclass(frozen=True)
class Graph:
    """One graph, ready to be opened."""

    label: str
    """How to call it in messages."""

    data: bytes
    """The file's bytes; they have been checked against their hash where one is recorded."""

    path: Path | None = None
    """Where to open it from; None: from its bytes. Set only where its weights lie in files of their
    own."""

    form: tuple[str, str] | None = None
    """(dtype, precision) of a shipped graph."""


@dataclass(frozen=True)
class Model:
    """A name for one or more graphs of the same weights."""

    name: str
    version: str
    licence: str
    description: str
    shipped: bool
    sha256: str
    """Of the file; of a shipped model, of its uint8 fp32 form."""

    url: str = ""
    """Where it is fetched from; "" for a shipped one."""


_FETCHED = (
    Model(
        name="2xLiveActionV1_SPAN",
        version="1",
        licence="CC-BY-NC-SA-4.0 (relicensed as Apache-2.0 by its author in 2025)",
        description="SPAN 2x for live-action frames, by jcj83429: the reference that we measure by",
        shipped=False,
        sha256="bfa72f3c6347076aed140d0836cee30c27ea434c047beeaf9466469483836ecc",
        url="https://github.com/jcj83429/upscaling/raw/5d8cdd2e17750b64be39ccab3a8763d91128fe15"
        "/2xLiveActionV1_SPAN/2xLiveActionV1_SPAN.onnx",
    ),
)


@cache
def _index() -> dict[str, Any]:
    import json  # here and below: kept out of `import liveaction_onnx`

    found: dict[str, Any] = json.loads((_GRAPHS / "index.json").read_text(encoding="utf-8"))
    return found


def models() -> tuple[Model, ...]:
    """Every model that has a name: the shipped ones first."""
    index = _index()
    digest = {(form["dtype"], form["precision"]): form["sha256"] for form in index["forms"]}
    shipped = Model(
        index["name"],
        index["version"],
        index["licence"],
        index["description"],
        True,
        digest["uint8", "fp32"],
    )
    return (shipped, *_FETCHED)


def find(name: str) -> Model | None:
    """The model of that name, if there is one."""
    return next((model for model in models() if model.name == name), None)


def shipped_graph(dtype: str, precision: str) -> Graph:
    """One form of the shipped model, checked against the hash recorded when it was built.

    That of 16 bits ships without its weights, and gets those of 8 bits.

    Raises
    ------
    GraphHashError
        Where the installed file has been changed or damaged.
    """
    if dtype != "uint16":
        return _shipped("forms", dtype, precision)
    nodes = _shipped("deep", dtype, precision)
    plain = shipped_graph("uint8", precision)
    return replace(nodes, data=weights.put_into(nodes.data, weights.taken_from(plain.data)))


def cpu_graph(dtype: str) -> Graph:
    """The fp32 form of the shipped model for the CPU, without its weights (see `blocked`).

    Raises
    ------
    GraphHashError
        Where the installed file has been changed or damaged.
    """
    return _shipped("cpu", dtype, "fp32")


def _shipped(kind: str, dtype: str, precision: str) -> Graph:
    form = next(f for f in _index()[kind] if (f["dtype"], f["precision"]) == (dtype, precision))
    data = (_GRAPHS / form["file"]).read_bytes()
    _check_hash(data, form["sha256"], form["file"], "reinstall liveaction-onnx")
    return Graph(form["file"], data, form=(dtype, precision))


def golden() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A patch (48, 64, 3) and what the shipped model makes of it, (96, 128, 3), both uint8 RGB."""
    with (_GRAPHS / "golden.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return stored["patch"], stored["expected"]


def foreign_graph(model: str | os.PathLike[str] | bytes) -> Graph:
    """The graph of a fetched model's name, of a path, or of bytes.

    Raises
    ------
    ModelNotFoundError
        Where there is no such name or file.
    GraphError
        Where it keeps weights outside its own folder; GraphHashError where a fetched file is not
        the recorded one.
    """
    if isinstance(model, bytes):
        label = "the graph given as bytes"
        if _locations(model):
            raise GraphError(f"{label} keeps weights in files of their own: give its path instead")
        return Graph(label, model)
    known = find(model) if isinstance(model, str) else None
    if known:
        advice = f"run: liveaction-onnx models get {known.name}"
        data = _read(cached_path(known), f"the model {known.name!r}", advice)
        _check_hash(data, known.sha256, known.name, advice)
        return Graph(known.name, data)
    path = Path(model)
    names = ", ".join(m.name for m in models())
    advice = f"expected one of {names}, or a path to an .onnx file"
    data = _read(path, f"the model {os.fspath(model)!r}", advice)
    return Graph(path.name, data, _outside_weights(path, data))


def _read(path: Path, what: str, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a zero in it
        why = getattr(error, "strerror", None) or error
        raise ModelNotFoundError(f"{what} cannot be read from {path}: {why}; {advice}") from error


def _check_hash(data: bytes, sha256: str, label: str, advice: str) -> None:
    import hashlib

    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise GraphHashError(f"{label}: expected sha256 {sha256}, got {found}: {advice}")


def _locations(data: bytes) -> list[str]:
    from liveaction_onnx import receptive

    try:
        return receptive.external_locations(data)
    except ValueError:
        return []  # ONNX Runtime says what is wrong with it


def _outside_weights(path: Path, data: bytes) -> Path | None:
    """Where to open a graph that keeps weights in files beside it; None where it keeps none.

    That is `path` where they lie beside it, as where both are links (the cache of Hugging Face is
    all links, to files of other names), and what it leads to where they lie there.
    """
    locations = _locations(data)
    real = path.resolve()
    here = path.absolute()
    if not all((here.parent / location).exists() for location in locations):
        here = real
    for location in locations:
        if not (here.parent / location).resolve().is_relative_to(real.parent):
            raise GraphError(
                f"{path} keeps weights at {location!r}: refused, for that is outside its own folder"
            )
    return here if locations else None


def cache_folder() -> Path:
    """Where fetched graphs lie: LIVEACTION_ONNX_HOME, or the user's cache folder."""
    if os.environ.get(_HOME_VARIABLE):
        return Path(os.environ[_HOME_VARIABLE]).expanduser()  # a shell leaves ~ in quotes as it is
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "liveaction_onnx"


def cached_path(model: Model) -> Path:
    """Where a fetched model lies, whether or not it has been fetched."""
    return cache_folder() / f"{model.name}.onnx"
