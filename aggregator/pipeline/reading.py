"""One file of front matter, from its path to a post that the store has not been asked about yet."""

from __future__ import annotations

from datetime import datetime

from aggregator.config.images import Images
from aggregator.config.models import Fetch, Site
from aggregator.config.sources import FrontMatterSource
from aggregator.errors import IngestError
from aggregator.ingest.folder import FileStat, read, shown
from aggregator.ingest.frontmatter import read_post
from aggregator.normalize.identity import identify
from aggregator.normalize.post import is_empty
from aggregator.normalize.text import clean_text
from aggregator.pipeline.folder import FileOutcome
from aggregator.pipeline.matching import prepare
from aggregator.pipeline.normalizing import normalizer
from aggregator.store.codec import digest


class FileReader:
    """Reads files of one source, one after another, with everything made ready once."""

    def __init__(self, site: Site, source: FrontMatterSource, images: Images, fetch: Fetch, now: datetime) -> None:
        self._source = source
        self._normalize = normalizer(site, source, images, fetch)
        self._now = now

    def read(self, stat: FileStat, before: str) -> FileOutcome:
        """What a file holds; `before` is the hash of what it held when it was last read, empty to read it anyway.

        A file that cannot be read costs itself, whatever the reason; it is tried again in the next run.
        """
        try:
            return self._read(stat, before)
        except IngestError as error:
            return FileOutcome(stat, before, None, (str(error),), failed=True)
        except Exception as error:  # noqa: BLE001 - recorded by name, and the other files go on
            warning = f"{shown(stat.path)}: skipped, unexpected {type(error).__name__}: {error}"
            return FileOutcome(stat, before, None, (clean_text(warning)[:500],), failed=True)

    def _read(self, stat: FileStat, before: str) -> FileOutcome:
        data = read(self._source.path, stat.path, self._source.max_bytes)
        hashed = digest(data)
        if hashed == before:
            return FileOutcome(stat, hashed, None, unchanged=True)
        found = read_post(data, stat.path)
        if found.draft is None:
            return FileOutcome(stat, hashed, None, found.warnings)
        if is_empty(found.draft):
            warning = f"{shown(stat.path)}: skipped, it has neither a title nor a text"
            return FileOutcome(stat, hashed, None, (*found.warnings, warning))
        (identity,) = identify([found.draft])
        assert identity is not None  # only a second draft can be the same as an earlier one
        prepared = prepare(self._normalize, found.draft, identity, self._now)
        return FileOutcome(stat, hashed, prepared, found.warnings, found.lenient)
