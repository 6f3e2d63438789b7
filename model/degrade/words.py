"""Something to write: words as subtitles have them, or characters at random."""

from __future__ import annotations

import string

import numpy as np

_TEXT = """
the and you that was for are with his they this have from one had word but not what all were
when your can said there each which she how their will other about out many then them these
some her would make like him into time has look two more write see number way could people
than first water been call who its now find long down day did get come made may part
Where What Yes No Don't I'm We're Captain Doctor London Episode Chapter 1984 24 Previously
"""
_WORDS = tuple(_TEXT.split())
_SIGNS = tuple(string.ascii_letters + string.digits + ".,:;!?-'\"()&%@#/+*" + 5 * " ")


def phrase(rng: np.random.Generator, length: int) -> str:
    """Words, at most `length` characters of them."""
    return " ".join(rng.choice(_WORDS, length // 3))[:length].strip()


def signs(rng: np.random.Generator, length: int) -> str:
    """At most `length` letters, digits, signs and spaces at random; at least one that is seen."""
    return "".join(rng.choice(_SIGNS, length)).strip() or "0"
