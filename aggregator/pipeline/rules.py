"""What decides what a draft becomes, as one hash; light, because a run that reads nothing asks for it too."""

from __future__ import annotations

from aggregator.config.images import Images
from aggregator.config.models import Fetch, Site
from aggregator.config.sources import FrontMatterSource, Source
from aggregator.normalize.urls import leads_inside
from aggregator.store.codec import digest

# Raised by whoever changes what a draft becomes: every stored post is then normalised anew, without being fetched.
NORMALIZER_VERSION = 4

# Keys of a source that decide what its drafts become; the others say where and how it is asked.
_DECIDES = {
    "name",
    "type",
    "category",
    "category_mode",
    "timezone",
    "language",
    "future",
    "dialect",
    "link",
    "fulltext",
}
# … and of images; the others are for publishing, which needs no post to be made anew.
_DECIDES_IMAGES = {"unwrap", "proxies", "placeholders", "trackers"}


def may_lead_inside(source: Source, fetch: Fetch) -> bool:
    """Whether the posts of a source may lead into a private network: where it may be asked there, or lives there itself."""
    said = None if isinstance(source, FrontMatterSource) else source.allow_private
    if said is None and isinstance(source, FrontMatterSource) and source.link:
        said = leads_inside(source.link) or None
    return fetch.allow_private if said is None else said


def rules_digest(site: Site, source: Source, images: Images, fetch: Fetch) -> str:
    """Names everything that decides what a draft of this source becomes; when it changes, the posts are made anew."""
    decides = _DECIDES if isinstance(source, FrontMatterSource) else _DECIDES - {"link"}  # a page's selector
    said = source.model_dump_json(include=decides)
    of_images = images.model_dump_json(include=_DECIDES_IMAGES)
    inside = str(may_lead_inside(source, fetch))
    return digest(str(NORMALIZER_VERSION), said, site.timezone, site.language, of_images, inside)
