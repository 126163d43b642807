"""What a client would rather have: header fields with quality values (RFC 9110 §12.4.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

IDENTITY = ""
CODINGS = ("br", "gzip", IDENTITY)  # in the order in which they are chosen where a client likes them alike

_WEIGHT = re.compile(r"[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ALIASES = {"x-gzip": "gzip", "identity": IDENTITY}  # §8.4.1.3
_LONGEST = 1000  # characters of a header that are looked at


def weights(header: str) -> dict[str, float]:
    """The values of a field in lower case, each with its weight; one whose weight cannot be read is not wanted.

    >>> weights("zh-CN,zh;q=0.9, en;q=0")
    {'zh-cn': 1.0, 'zh': 0.9, 'en': 0.0}
    """
    found: dict[str, float] = {}
    for part in header[:_LONGEST].split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            match = _WEIGHT.fullmatch(parameter)
            weight = float(match[1]) if match else 0.0
        if name:
            found[name.lower()] = weight
    return found


@lru_cache(maxsize=256)
def acceptable(header: bytes | None) -> tuple[str, ...]:
    """The codings that an Accept-Encoding header allows, the best first; the empty one is no coding at all (§12.5.3).

    Whoever names no coding gets none, and so does who forbids all of them: an answer that may be read is better than a 406,
    which §12.5.3 leaves to us. What cannot be read is passed over.

    >>> acceptable(b"gzip, br;q=0.5"), acceptable(b"*;q=0.1, gzip;q=0"), acceptable(None)
    (('gzip', 'br', ''), ('br', ''), ('',))
    """
    if header is None:
        return (IDENTITY,)
    wanted = {_ALIASES.get(name, name): weight for name, weight in weights(header.decode("latin-1")).items()}
    others = wanted.get("*")
    found = []
    for order, coding in enumerate(CODINGS):
        # Without a word on it, no coding is always allowed, but less welcome than any that was named.
        weight = wanted.get(coding, others if others is not None else (0.0001 if coding == IDENTITY else 0.0))
        if weight > 0:
            found.append((-weight, order, coding))
    return tuple(coding for _, _, coding in sorted(found)) or (IDENTITY,)


def language_for(header: str, spoken: Sequence[str], otherwise: str) -> str:
    """The language among those spoken that a reader likes best (RFC 4647 §3.4, by first part); `otherwise` for no preference.

    >>> language_for("fr, zh-TW;q=0.8, en;q=0.5", ("en", "zh-CN"), "en")
    'zh-CN'
    """
    best, best_weight = otherwise, 0.0
    for wanted, weight in weights(header).items():
        if weight > best_weight:
            first = wanted.partition("-")[0]
            same = (one for one in spoken if one.partition("-")[0] == first)
            match = otherwise if wanted == "*" else next(same, None)
            if match is not None:
                best, best_weight = match, weight
    return best


@lru_cache(maxsize=1024)
def names(header: bytes | None, media_type: str) -> bool:
    """Whether an Accept header takes a media type by its name: `image/*` says nothing of formats that came later."""
    return header is not None and weights(header.decode("latin-1")).get(media_type, 0.0) > 0
