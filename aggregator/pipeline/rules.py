"""What decides what a draft becomes, as one hash; light, because a run that reads nothing asks for it too."""

from __future__ import annotations

from aggregator.config.models import Images, Site, Source
from aggregator.store.codec import digest

# Raised by whoever changes what a draft becomes: every stored post is then normalised anew, without being fetched.
NORMALIZER_VERSION = 1


def rules_digest(site: Site, source: Source, images: Images) -> str:
    """Names everything that decides what a draft of this source becomes; when it changes, the posts are made anew."""
    said = source.model_dump_json(exclude={"every", "path", "url", "glob"})
    return digest(str(NORMALIZER_VERSION), said, site.timezone, site.language, images.model_dump_json())
