"""What a reader would rather have: header fields with quality values (RFC 9110 §12.4.2)."""

from __future__ import annotations

import re

_MAX_HEADER = 1000  # characters looked at
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def ranked(header: str) -> dict[str, float]:
    """The values of a field in lower case with their quality; what is malformed counts as 1, as if it said nothing.

    >>> ranked("zh-CN,zh;q=0.9, en;q=0")
    {'zh-cn': 1.0, 'zh': 0.9, 'en': 0.0}
    """
    found: dict[str, float] = {}
    for part in header[:_MAX_HEADER].split(","):
        value, *parameters = (piece.strip() for piece in part.split(";"))
        if value:
            weight = next((match for piece in parameters if (match := _WEIGHT.fullmatch(piece))), None)
            found.setdefault(value.lower(), float(weight[1]) if weight else 1.0)
    return found


def language_for(header: str, spoken: tuple[str, ...], otherwise: str) -> str:
    """The language among those spoken that a reader likes best (RFC 4647 §3.4, by first part); `otherwise` for no preference.

    >>> language_for("fr, zh-TW;q=0.8, en;q=0.5", ("en", "zh-CN"), "en")
    'zh-CN'
    """
    best, best_weight = otherwise, 0.0
    for wanted, weight in ranked(header).items():
        if weight > best_weight:
            first = wanted.partition("-")[0]
            match = (
                otherwise if wanted == "*" else next((one for one in spoken if one.partition("-")[0] == first), None)
            )
            if match is not None:
                best, best_weight = match, weight
    return best


def coding_for(header: str) -> str:
    """The content coding to answer in: br, gzip, or empty for none.

    >>> coding_for("gzip, br"), coding_for("br;q=0, *"), coding_for("identity"), coding_for("")
    ('br', 'gzip', '', '')
    """
    wanted = ranked(header)
    return max(
        (coding for coding in ("br", "gzip") if wanted.get(coding, wanted.get("*", 0.0)) > 0),
        key=lambda coding: wanted.get(coding, wanted.get("*", 0.0)),
        default="",
    )
