"""The pages of posts that have no link of their own, as files: a static host has the URLs that our feeds link to.

Cost follows what changed: a run in which no live post changed compares two numbers; any other looks at the posts that a
write touched since. The files are listed in a manifest of their own in `posts/`, so that every other run reads a short one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from aggregator.config.models import Config
from aggregator.errors import PublishError
from aggregator.models import Feed
from aggregator.pipeline.imagerules import ImageRules, image_rules
from aggregator.pipeline.results import FeedResult, Workers
from aggregator.publish.manifest import is_inside
from aggregator.publish.permalinks import DIRECTORY, post_directory
from aggregator.publish.site import Site
from aggregator.publish.tree import category_of
from aggregator.publish.writer import Writer
from aggregator.store.codec import digest
from aggregator.store.feeds import FeedState
from aggregator.store.store import Store

_BATCH = 128  # pages that one piece of work renders
_PARALLEL_FROM = 256


@dataclass(frozen=True, slots=True)
class PostPages:
    """What writing them needs; `version` names the code that they are made by."""

    config: Config
    store: Store
    workers: Workers
    site: Site
    version: str

    def regenerate(self, feeds: Sequence[Feed], state: FeedState | None, *, force: bool) -> Iterator[FeedResult]:
        """Writes the pages of posts that changed and removes those of posts that are gone, or have a link now.

        `state` is what was remembered of the last time. A page that cannot be written is reported, and tried again.
        """
        rule = self.config.by_category
        # A category may lose its feed where it needs several posts; a page that does not change cannot follow that.
        is_linked = rule.enabled and rule.min_posts == 1
        folder = self.config.output / DIRECTORY
        with self.store.read() as tx:
            newest, images = tx.feeds.newest_write(), image_rules(self.config, tx)
        said = (self.version, repr(self.site), str(self.config.output), repr((is_linked, rule.depth)), images.recipe())
        recipe = digest(*said)
        is_known = state is not None and state.recipe == recipe and (not state.posts or folder.is_dir())
        since = state.rendered if state is not None and is_known and not force else -1
        if since == newest:
            return
        if since < 0 and state is not None:  # whoever is killed before all are there has said nothing of any
            with self.store.write() as tx:
                tx.feeds.forget([DIRECTORY])
        with self.store.read() as tx:
            changed = tx.feeds.changed_since(since)
        shown = [post.id for post in changed if post.is_unlinked]
        gone = [post.id for post in changed if not post.is_unlinked]
        count = 0
        if shown or state is None or state.posts:
            directories = (
                {one.path: feed.directory for feed in feeds if (one := category_of(feed))} if is_linked else {}
            )
            try:
                result, count = self._bring_up_to_date(shown, gone, images, directories, is_complete=since < 0)
            except PublishError as error:
                result = FeedResult("", error=str(error))
            yield from [result] if result.written or result.unchanged or result.error else []
            if result.error:
                return
        with self.store.write() as tx:
            tx.feeds.rendered([FeedState(DIRECTORY, recipe, newest, count, None)])

    def _bring_up_to_date(
        self,
        shown: Sequence[int],
        gone: Sequence[int],
        images: ImageRules,
        directories: dict[str, str],
        *,
        is_complete: bool,
    ) -> tuple[FeedResult, int]:
        """What was written, and how many pages there are now; `shown` are all of them where it `is_complete`."""
        folder = self.config.output / DIRECTORY
        if not is_inside(self.config.output, folder):
            return FeedResult("", error=f"{folder}: the path leads out of the output, by a link in it"), 0
        writer = Writer(folder)
        wanted = {_path(number) for number in shown}
        before = writer.known()
        keep = wanted if is_complete else (before | wanted) - {_path(number) for number in gone}
        if shown:
            writer.clean_up(wanted)  # a killed run was writing these, if any: they are still to be written
            writer.register(wanted)
        result = self._render(shown, images, directories)
        if not keep >= before:
            writer.remove_stale(set(keep))
        return result, len(keep)

    def _render(self, shown: Sequence[int], images: ImageRules, directories: dict[str, str]) -> FeedResult:
        """Renders and writes pages, in processes where there are many."""
        if not shown:
            return FeedResult("")
        from aggregator.pipeline.rendering import render_posts  # noqa: PLC0415 - its libraries, only where needed

        work = partial(render_posts, self.store.url, self.site, self.config.output, images, directories)
        executor = None
        if len(shown) >= _PARALLEL_FROM:
            self.store.close()
            executor = self.workers()
        batches = [shown[start : start + _BATCH] for start in range(0, len(shown), _BATCH)]
        results = list((executor.map if executor else map)(work, batches))
        return FeedResult(
            "",
            posts=sum(result.posts for result in results),
            written=tuple(path for result in results for path in result.written),
            unchanged=tuple(path for result in results for path in result.unchanged),
            error="; ".join(result.error for result in results if result.error),
        )


def _path(post_id: int) -> str:
    """Where a post's page lies below the folder of such pages."""
    return f"{post_directory(post_id).removeprefix(f'{DIRECTORY}/')}/index.html"
