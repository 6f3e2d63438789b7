"""Raw frames with their times, as ffmpeg can read them from a pipe.

A pipe of bare frames has no times. Matroska has them, but ffmpeg writes them in milliseconds only;
here they are nanoseconds, finer than the ticks of any video, so that rounding brings back the tick.
Elements are those of the Matroska specification, RFC 9559.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

FOURCC = {np.dtype("u1"): b"RGB\x18", np.dtype("<u2"): b"RGB\x30"}
"""How packed RGB of each dtype is called in a raw track: rgb24 and rgb48le."""

_EBML, _INFO, _TRACKS, _TRACK = "1a45dfa3", "1549a966", "1654ae6b", "ae"
_SEGMENT, _CLUSTER = bytes.fromhex("18538067"), bytes.fromhex("1f43b675")
_SIMPLE_BLOCK = b"\xa3"
_BLOCK_HEAD = b"\x81\x00\x00\x80"
"""Track 1, at the cluster's own time, a keyframe."""

_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


def head(shape: tuple[int, ...], dtype: np.dtype[np.generic], rate: Fraction) -> bytes:
    """What comes before the first frame.

    `shape` (H, W, 3) and `dtype` are those of every frame; `rate` in frames a second is what
    encoders are told.
    """
    height, width, _ = shape
    ebml = _number("4286", 1) + _number("42f7", 1) + _number("42f2", 4) + _number("42f3", 8)
    ebml += _element("4282", b"matroska") + _number("4287", 4) + _number("4285", 2)
    one_nanosecond = _number("2ad7b1", 1)
    info = one_nanosecond + _element("4d80", b"liveaction") + _element("5741", b"liveaction")
    video = _number("b0", width) + _number("ba", height) + _element("2eb524", FOURCC[dtype])
    track = _number("d7", 1) + _number("73c5", 1) + _number("83", 1) + _number("9c", 0)
    track += _number("23e383", max(1, round(10**9 / rate)))
    track += _element("86", b"V_UNCOMPRESSED") + _element("e0", video)
    tracks = _element(_TRACKS, _element(_TRACK, track))
    start = _element(_EBML, ebml) + _SEGMENT + _UNKNOWN_SIZE
    return start + _element(_INFO, info) + tracks


def before_frame(time_ns: int, frame_bytes: int) -> bytes:
    """What comes before each frame: a cluster of its own at its time, which is not negative."""
    time = _number("e7", time_ns)
    block = len(_BLOCK_HEAD) + frame_bytes
    start = _SIMPLE_BLOCK + _size(block) + _BLOCK_HEAD
    return _CLUSTER + _size(len(time) + len(start) + frame_bytes) + time + start


def _size(count: int) -> bytes:
    return (count | 1 << 56).to_bytes(8, "big")


def _element(name: str, data: bytes) -> bytes:
    return bytes.fromhex(name) + _size(len(data)) + data


def _number(name: str, value: int) -> bytes:
    return _element(name, value.to_bytes(max(1, -(-value.bit_length() // 8)), "big"))
