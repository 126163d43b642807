"""What decides what a draft becomes, as one hash; light, because a run that reads nothing asks for it too."""

from __future__ import annotations

from aggregator.config.images import Images
from aggregator.config.models import Site
from aggregator.config.sources import FrontMatterSource, Source
from aggregator.store.codec import digest

# Raised by whoever changes what a draft becomes: every stored post is then normalised anew, without being fetched.
NORMALIZER_VERSION = 3

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


def rules_digest(site: Site, source: Source, images: Images) -> str:
    """Names everything that decides what a draft of this source becomes; when it changes, the posts are made anew."""
    decides = _DECIDES if isinstance(source, FrontMatterSource) else _DECIDES - {"link"}  # a page's selector
    said = source.model_dump_json(include=decides)
    of_images = images.model_dump_json(include=_DECIDES_IMAGES)
    return digest(str(NORMALIZER_VERSION), said, site.timezone, site.language, of_images)
