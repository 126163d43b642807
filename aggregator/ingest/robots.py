"""What a site's robots.txt lets us ask (RFC 9309), decided from its bytes; Protego compares paths with its rules.

Only the groups that concern us are handed to Protego. It keeps a list of rules for each user agent that a file names, and
half a megabyte of 17,000 agents followed by 30,000 rules would be 500 million of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from protego import Protego

AGENT = "aggregator"  # our product token (RFC 9309 §2.2.1)
MAX_BYTES = 512_000  # RFC 9309 §2.5: at least 500 KiB have to be read; what stands behind them is not
_MAX_RULES = 20_000
_LONGEST_DELAY_S = 86_400.0

_LINE = re.compile(r"\s*([A-Za-z][A-Za-z -]{0,30}?)\s*:\s*(.*)")
_AGENT_KEYS = frozenset({"user-agent", "useragent", "user agent"})
_RULE_KEYS = frozenset(
    {"allow", "disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw", "crawl-delay", "crawl delay"}
)
_TOKEN = re.compile(r"[A-Za-z_-]+")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a robots.txt lets one agent ask; `reason` says why it is nothing at all, where the file could not be had."""

    agent: str = AGENT
    reason: str = ""
    parsed: Protego | None = field(default=None, repr=False)  # None: no rules


def robots_url(url: str) -> str:
    """Where the robots.txt for a URL is: at the root of its scheme, host and port, without credentials."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/robots.txt", "", ""))


def rules_of(status: int | None, body: bytes = b"", *, agent: str = AGENT) -> Rules:
    """What an answer to the request for robots.txt means; `status` is None where there was none.

    RFC 9309 §2.3.1: a 4xx means that there are no rules, a 5xx or no answer that nothing may be asked until there is one.
    429 is taken for the latter: whoever asks for fewer requests has not said that all are welcome. Redirects are followed
    before; a 3xx that is left counts as no rules.
    """
    if status is None:
        return Rules(agent, "its robots.txt could not be reached")
    if status >= 500 or status == 429:
        return Rules(agent, f"its robots.txt could not be read: HTTP status {status}")
    if not 200 <= status < 300:
        return Rules(agent)
    return read_robots(body[:MAX_BYTES].decode("utf-8", "replace"), agent=agent)


def read_robots(text: str, *, agent: str = AGENT) -> Rules:
    """The rules of a robots.txt for an agent; anything that is none of its lines, an HTML page for one, holds none."""
    lines = list(_ours(text.removeprefix("\ufeff"), agent.lower()))
    if not lines:
        return Rules(agent)
    from protego import Protego  # noqa: PLC0415 - for sources that are pages

    return Rules(agent, "", Protego.parse("\n".join(lines)))


def _ours(text: str, agent: str) -> Iterator[str]:
    """The lines of the groups that name the agent or `*`, each group beginning with no other names."""
    named: set[str] = set()
    in_head = False
    rules = 0
    for line in text.splitlines():
        found = _LINE.match(line.partition("#")[0])
        key, value = (found[1].lower(), found[2].strip()) if found else ("", "")
        if key in _AGENT_KEYS:
            if not in_head:
                named, in_head = set(), True
            token = _TOKEN.match(value)
            named.add("*" if value == "*" else token[0].lower() if token else "")
        elif key in _RULE_KEYS:
            ours = sorted(named & {agent, "*"})
            if in_head:
                yield from (f"user-agent: {name}" for name in ours)
                in_head = False
            if ours and rules < _MAX_RULES:
                rules += 1
                yield f"{key}: {value}"
    if in_head:  # a group without rules is one all the same: nothing is forbidden to it
        yield from (f"user-agent: {name}" for name in sorted(named & {agent, "*"}))


def allowed(rules: Rules, url: str) -> bool:
    """Whether the URL may be asked; robots.txt itself always may (RFC 9309 §2.2.2)."""
    try:
        if urlsplit(url).path == "/robots.txt":
            return True
        if rules.reason:
            return False
        return rules.parsed is None or bool(rules.parsed.can_fetch(url, rules.agent))
    except ValueError:  # a URL that cannot be read
        return False


def crawl_delay(rules: Rules) -> float | None:
    """The seconds between two requests that the file asks of us, a day at the most; None where it says nothing."""
    delay = rules.parsed.crawl_delay(rules.agent) if rules.parsed else None
    return None if delay is None else min(float(delay), _LONGEST_DELAY_S)
