"""The pages that say why there is nothing to see; they are served only, at whatever address was asked for."""

from __future__ import annotations

from urllib.parse import urlsplit

from aggregator.publish.site import Site
from aggregator.publish.view import View, filled


def notice_page(kind: str, site: Site, view: View) -> bytes:
    """What somebody sees whose address leads nowhere (`missing`), who has to know a token (`locked`), or has a wrong one (`refused`).

    One page for all addresses, so its links begin with the path of `base_url`.
    """
    return filled("notice.html", site, view, urlsplit(site.base_url).path, kind=kind)
