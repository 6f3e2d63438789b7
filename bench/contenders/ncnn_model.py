"""The network as ncnn has it: a list of layers, and their weights in a row."""

from __future__ import annotations

from model.span import BLOCKS, SCALE, SpanWeights

ADD, SUBTRACT, MULTIPLY = 0, 1, 2
"""BinaryOp's numbers for them."""


class Layers:
    """Layers under construction; each method adds one and returns the name of its output."""

    def __init__(self, weights: SpanWeights) -> None:
        self._convolutions = iter(weights.convolutions)
        self._lines: list[tuple[str, list[str], list[str], str]] = []
        self._weights: list[bytes] = []

    def add(self, kind: str, *inputs: str, settings: str = "", output: str = "") -> str:
        output = output or f"b{len(self._lines)}"
        self._lines.append((kind, list(inputs), [output], settings))
        return output

    def convolve(self, x: str) -> str:
        """The next convolution; its kernel is stored as fp32, which is what a tag of 0 says."""
        convolution = next(self._convolutions)
        kernel = convolution.kernel.astype("<f4")
        outputs, _, size, _ = kernel.shape
        self._weights += [bytes(4), kernel.tobytes(), convolution.bias.astype("<f4").tobytes()]
        settings = f"0={outputs} 1={size} 4={size // 2} 5=1 6={kernel.size}"
        return self.add("Convolution", x, settings=settings)

    def silu(self, x: str) -> str:
        return self.add("Swish", x)

    def binary(self, operation: int, a: str, b: str) -> str:
        return self.add("BinaryOp", a, b, settings=f"0={operation}")

    def written(self) -> tuple[str, bytes]:
        """The .param and the .bin. What several layers read is split first, as ncnn wants it."""
        readers: dict[str, int] = {}
        for _, inputs, _, _ in self._lines:
            for name in inputs:
                readers[name] = readers.get(name, 0) + 1
        lines, copies, blobs = [], dict[str, list[str]](), 0
        for number, (kind, inputs, outputs, settings) in enumerate(self._lines):
            inputs = [copies[name].pop() if name in copies else name for name in inputs]
            lines.append(_line(kind, f"l{number}", inputs, outputs, settings))
            blobs += len(outputs)
            for name in outputs:
                if readers.get(name, 0) > 1:
                    copies[name] = [f"{name}_{k}" for k in range(readers[name])]
                    lines.append(_line("Split", f"s{number}", [name], copies[name], ""))
                    blobs += readers[name]
        return "\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""]), b"".join(self._weights)


def _line(kind: str, name: str, inputs: list[str], outputs: list[str], settings: str) -> str:
    words = [kind, name, str(len(inputs)), str(len(outputs)), *inputs, *outputs, settings]
    return " ".join(words).rstrip()


def ncnn_model(weights: SpanWeights) -> tuple[str, bytes]:
    """The .param and the .bin: (3, h, w) in [0, 1], mean taken off, to (3, 2h, 2w)."""
    net = Layers(weights)
    x = first = net.convolve(net.add("Input", output="input"))
    kept = []
    for block in range(BLOCKS):
        a = net.silu(net.convolve(x))
        c = net.convolve(net.silu(net.convolve(a)))
        half = f"0={SUBTRACT} 1=1 2=0.5"  # 1=1: with the number that 2 gives
        attention = net.add("BinaryOp", net.add("Sigmoid", c), settings=half)
        x = net.binary(MULTIPLY, net.binary(ADD, c, x), attention)
        if block == 0:
            kept.append(x)
    kept.append(a)
    maps = net.add("Concat", first, net.convolve(x), *kept, settings="0=0")
    last = net.convolve(net.convolve(maps))
    net.add("PixelShuffle", last, settings=f"0={SCALE}", output="output")
    return net.written()
