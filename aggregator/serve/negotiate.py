"""Which content coding a client prefers (RFC 9110 §12.5.3)."""

from __future__ import annotations

import re
from functools import lru_cache

IDENTITY = ""
CODINGS = ("br", "gzip", IDENTITY)  # in the order in which they are chosen where a client likes them alike

_WEIGHT = re.compile(r"[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ALIASES = {"x-gzip": "gzip", "identity": IDENTITY}  # §8.4.1.3


@lru_cache(maxsize=256)
def acceptable(header: bytes | None) -> tuple[str, ...]:
    """The codings that an Accept-Encoding header allows, the best first; the empty one is no coding at all.

    Whoever names no coding gets none, and so does who forbids all of them: an answer that may be read is better than a 406,
    which §12.5.3 leaves to us. What cannot be read is passed over.

    >>> acceptable(b"gzip, br;q=0.5"), acceptable(b"*;q=0.1, gzip;q=0"), acceptable(None)
    (('gzip', 'br', ''), ('br', ''), ('',))
    """
    if header is None:
        return (IDENTITY,)
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            match = _WEIGHT.fullmatch(parameter)
            weight = float(match[1]) if match else 0.0
        name = name.lower()
        if name:
            weights[_ALIASES.get(name, name)] = weight
    others = weights.get("*")
    found = []
    for order, coding in enumerate(CODINGS):
        # Without a word on it, no coding is always allowed, but less welcome than any that was named.
        weight = weights.get(coding, others if others is not None else (0.0001 if coding == IDENTITY else 0.0))
        if weight > 0:
            found.append((-weight, order, coding))
    return tuple(coding for _, _, coding in sorted(found)) or (IDENTITY,)
