"""Which proxies are unwrapped, and what becomes of one image URL."""

from __future__ import annotations

from aggregator.config.images import Images
from aggregator.images.proxies import BUILT_IN, Proxy, ProxyTable


def proxy_table(images: Images) -> ProxyTable:
    """The proxies to unwrap: the configured ones first, then the built-in ones, or none at all."""
    if not images.unwrap:
        return ProxyTable(())
    return ProxyTable((*(Proxy(**row.model_dump()) for row in images.proxies), *BUILT_IN))


def explain_image(table: ProxyTable, url: str) -> dict[str, str | None]:
    """What a URL unwraps to, by which rules (outermost first; None: it is no proxy), and what it is published as."""
    found = table.unwrap(url)
    return {
        "url": url,
        "origin": found.origin,
        "rule": " > ".join(found.rules) or None,
        "published": found.origin,
    }
