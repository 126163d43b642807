"""How long subscriptions last, when they are renewed, and when what failed is tried again; all in seconds."""

from __future__ import annotations

from collections.abc import Callable

_HOUR_S = 3600
_DAY_S = 86_400
DEFAULT_S = 10 * _DAY_S  # §8.2: a good default
SHORTEST_S, LONGEST_S = _HOUR_S, 30 * _DAY_S
_RENEWED_AT = 0.8  # of a lease: a fifth of it is left for a hub that is down
_FIRST_RETRY_S = 30.0
_LAST_RETRY_S = 6 * _HOUR_S
_GROWTH = 4.0
_DIGITS = 18  # a number of seconds that somebody means has fewer


def granted_s(asked: str) -> int:
    """The lease that our hub gives where so many seconds were asked for; raises ValueError for what is no number.

    >>> granted_s(""), granted_s("60"), granted_s("99999999999")
    (864000, 3600, 2592000)
    """
    if not asked:
        return DEFAULT_S
    if not (asked.isascii() and asked.isdecimal()):
        raise ValueError("no whole number")
    return max(SHORTEST_S, min(int(asked), LONGEST_S)) if len(asked) <= _DIGITS else LONGEST_S


def taken_s(given: str) -> int:
    """The lease that we take where a hub says that it gave so many seconds; what it must say (§5.3) and does not is a day."""
    if not (given.isascii() and given.isdecimal()) or len(given) > _DIGITS:
        return _DAY_S
    return max(1, min(int(given), LONGEST_S))


def renewal_in_s(lease_s: float) -> float:
    """How long after its start a lease is renewed."""
    return lease_s * _RENEWED_AT


def retry_in_s(failures: int, random: Callable[[], float]) -> float:
    """How long to wait after so many failures in a row: half a minute, two minutes, eight … six hours, give or take a quarter.

    `random` gives 0 ≤ x < 1; without it, all that failed together would be tried again together.
    """
    wait_s = min(_FIRST_RETRY_S * _GROWTH ** min(max(failures - 1, 0), 10), _LAST_RETRY_S)
    return wait_s * (0.75 + random() / 2)
