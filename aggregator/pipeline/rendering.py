"""From posts in the store to documents on the disk, feed by feed; runs in worker processes, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aggregator.errors import PublishError, StoreError
from aggregator.models import Document, Feed, Post
from aggregator.pipeline.imagerules import ImageRules
from aggregator.pipeline.images import PostImages
from aggregator.pipeline.results import FeedResult
from aggregator.publish import atom, jsonfeed, opml, pages, rss
from aggregator.publish.pages import Listed
from aggregator.publish.postpage import post_page
from aggregator.publish.site import Site
from aggregator.publish.view import view_of_files
from aggregator.publish.writer import WriteError, Writer
from aggregator.store.sources import stamp
from aggregator.store.store import Store

_RENDERERS = {"rss": rss.render, "atom": atom.render, "json": jsonfeed.render}


def render_feeds(
    store_url: str, site: Site, output: Path, images: ImageRules, feeds: Sequence[Feed]
) -> list[FeedResult]:
    """Renders feeds and writes what changed of them; a feed that fails keeps its documents, and the others go on."""
    store, writer = Store(store_url), Writer(output)
    results, documents = [], []
    try:
        with store.read() as tx:
            shown = PostImages(images, tx)
            for feed in feeds:
                try:
                    selection = tx.feeds.select(feed.categories, feed.limit)
                    posts = shown.published(selection.posts, feed)
                    documents.append(_documents(feed, posts, site))
                except StoreError:
                    raise
                except Exception as error:  # noqa: BLE001 - a fault of ours that one post brings to light: the others go on
                    is_expected = isinstance(error, PublishError)
                    text = str(error) if is_expected else f"{feed.slug}: unexpected {type(error).__name__}: {error}"
                    results.append(FeedResult(feed.slug, error=text))
                    documents.append([])
                else:
                    updated = max((stamp(post.changed) for post in posts), default=None)
                    results.append(FeedResult(feed.slug, selection.total, updated))
    finally:
        store.close()
    return _written(writer, results, documents)


def render_front(listed: Sequence[Listed], site: Site, output: Path) -> FeedResult:
    """Writes the front page and the list of feeds."""
    documents = [pages.site_page(listed, site), opml.render([one.feed for one in listed], site)]
    (result,) = _written(Writer(output), [FeedResult("")], [documents])
    return result


def render_posts(
    store_url: str,
    site: Site,
    output: Path,
    images: ImageRules,
    directories: Mapping[str, str],
    ids: Sequence[int],
) -> FeedResult:
    """Renders the pages of posts and writes what changed of them."""
    store, view = Store(store_url), view_of_files(site.language)
    try:
        documents, failed = [], []
        with store.read() as tx:
            shown = PostImages(images, tx)
            for post in tx.feeds.posts(ids):
                try:
                    documents += [post_page(one, directories, site, view) for one in shown.published([post])]
                except StoreError:
                    raise
                except Exception as error:  # noqa: BLE001 - as above
                    failed.append(f"the page of {post.source}: {post.key}: unexpected {type(error).__name__}: {error}")
    finally:
        store.close()
    (result,) = _written(Writer(output), [FeedResult("", len(documents), error="; ".join(failed))], [documents])
    return result


def _documents(feed: Feed, posts: Sequence[Post], site: Site) -> list[Document]:
    documents = [_RENDERERS[name](feed, posts, site) for name in feed.formats]
    return [*documents, pages.feed_page(feed, posts, site)]


def _written(
    writer: Writer, results: Sequence[FeedResult], documents: Sequence[Sequence[Document]]
) -> list[FeedResult]:
    """The results with what became of their documents; all are written together, so that the disk is waited for once."""
    failed: dict[str, str] = {}
    try:
        done = writer.write(document for group in documents for document in group)
    except WriteError as error:
        done, failed = error.done, error.failed
    written, unchanged = set(done.written), set(done.unchanged)
    finished = []
    for result, group in zip(results, documents, strict=True):
        reasons = [f"{document.path}: {failed[document.path]}" for document in group if document.path in failed]
        finished.append(
            FeedResult(
                result.slug,
                result.posts,
                result.updated,
                tuple(document.path for document in group if document.path in written),
                tuple(document.path for document in group if document.path in unchanged),
                result.error or "; ".join(reasons),
            )
        )
    return finished
