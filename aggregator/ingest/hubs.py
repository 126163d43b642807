"""The WebSub hub that a feed names, and the address under which it is known there (https://www.w3.org/TR/websub/#discovery)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aggregator.ingest.feedurls import absolute, is_web, public_url
from aggregator.models import Parsed

_LONGEST_HEADER = 8192  # characters of a Link header that are read
_HIDDEN = "***"  # what stands in an answer where it quoted what it was asked with
_LONGEST = 2000  # characters of an address that is remembered
_QUOTED = r'"((?:[^"\\]|\\.)*)"'  # RFC 9110 §5.6.4
_PARAMETER = re.compile(rf';\s*([^\s;,="]+)\s*=\s*(?:{_QUOTED}|([^\s;,"]*))')
_LINK = re.compile(rf'<([^<>]*)>((?:\s*;\s*[^\s;,="]+\s*(?:=\s*(?:{_QUOTED}|[^\s;,"]*))?)*)')  # RFC 8288 §3
_ESCAPED = re.compile(r"\\(.)")


def hub_of(parsed: Parsed, link_header: str, url: str) -> tuple[str, str]:
    """The hub and the topic of a document that came from `url`; both empty where it names none that may be remembered.

    What the Link header says comes before what the document says (§4). A document that does not say where it is itself, as
    many do not, is known by where it was found. An address that holds a credential is not one to tell a third party.
    """
    hub, topic = parsed.hub, parsed.topic
    if "hub" in link_header.lower():
        said = dict(reversed(list(_links(link_header[:_LONGEST_HEADER], url))))  # of several, the first
        hub, topic = said.get("hub", hub), said.get("self", topic)
    if not hub or not is_web(url):
        return "", ""
    hub, topic = hub.partition("#")[0], (topic or url).partition("#")[0]
    return (hub, topic) if _may_be_kept(hub) and _may_be_kept(topic) else ("", "")


def _links(header: str, url: str) -> Iterator[tuple[str, str]]:
    """Each relation of a Link header with its target; links of other documents (`anchor`) are left out."""
    for target, parameters, _ in _LINK.findall(header):
        said: dict[str, str] = {}
        for name, quoted, plain in _PARAMETER.findall(parameters):
            value = _ESCAPED.sub(r"\1", quoted) or plain
            said.setdefault(name.lower(), value)  # §3.3: the first `rel` is the one that counts
        if "anchor" not in said:
            for relation in said.get("rel", "").lower().split():
                yield relation, absolute(target, url)


def _may_be_kept(url: str) -> bool:
    return is_web(url) and len(url) <= _LONGEST and public_url(url) == url and _HIDDEN not in url
