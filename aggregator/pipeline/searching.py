"""Searching: keeping the index up to date, and showing where in a post the words stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.models import Post
from aggregator.publish.text import plain
from aggregator.store.store import Store
from aggregator.store.words import Term, terms

INDEXED = 20_000  # characters of a post's text: a word that stands only beyond is not found
BATCH = 100  # posts in one transaction: 0.2 s for long ones, in which nobody else may write
PAGE = 20  # posts found, on one page
MAX_PAGE = 50
_BEFORE, _AFTER = 60, 180  # characters of the text shown around the first match


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, and whether it is what was looked for."""

    text: str
    is_match: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A post that was found: its title and a stretch of its text, in pieces."""

    post: Post
    title: tuple[Piece, ...]
    snippet: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found, newest first."""

    hits: tuple[Hit, ...] = ()
    page: int = 1
    has_more: bool = False


def index_posts(store: Store, limit: int = BATCH) -> int:
    """Indexes posts that changed, at most so many; returns how many it looked at: 0 when the index is up to date.

    To be called again until it returns 0, with pauses in which others may write. When there is nothing to do, it asks one
    question, which an index answers.
    """
    with store.read() as tx:
        batch = tx.search.stale(limit)
    if batch.ids:
        texts = {post.id: _text(post)[:INDEXED] for post in batch.posts}
        with store.write() as tx:
            tx.search.put(batch, texts)
    return len(batch.ids)


def search_posts(store: Store, query: str, page: int = 1) -> Found:
    """A page of the posts that hold every word of the query; whatever somebody asks for is a query.

    Raises:
        SearchTimedOut: the words are so common that PostgreSQL would be busy for too long.
    """
    asked = terms(query)
    page = min(max(page, 1), MAX_PAGE)
    with store.read() as tx:
        posts = tx.search.find(asked, limit=PAGE + 1, offset=(page - 1) * PAGE)
    pattern = _pattern(asked)
    hits = tuple(_hit(post, pattern) for post in posts[:PAGE])
    return Found(hits, page, has_more=len(posts) > PAGE and page < MAX_PAGE)


def _hit(post: Post, pattern: re.Pattern[str]) -> Hit:
    text = _text(post)[:INDEXED]
    match = pattern.search(text)
    start = max(match.start() - _BEFORE, 0) if match else 0
    end = start + _BEFORE + _AFTER
    if start and (space := text.find(" ", start, start + _BEFORE // 2)) >= 0:
        start = space + 1
    shown = f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"
    return Hit(post, _pieces(post.title, pattern), _pieces(shown, pattern))


def _text(post: Post) -> str:
    """What a post says, as plain text; a summary that says more than the content is searched, too."""
    content, summary = plain(post.content), plain(post.summary)
    return content if summary in content else f"{summary} {content}".strip()


def _pieces(text: str, pattern: re.Pattern[str]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    end = 0
    for match in pattern.finditer(text):
        if match.start() > end:
            pieces.append(Piece(text[end : match.start()]))
        if match.end() > match.start():
            pieces.append(Piece(match[0], is_match=True))
        end = match.end()
    if end < len(text):
        pieces.append(Piece(text[end:]))
    return tuple(pieces)


def _pattern(asked: Sequence[Term]) -> re.Pattern[str]:
    """A pattern for the words as they stand in a text; it repeats nothing but the rest of a word, so its time is linear.

    What only folding makes equal (`Straße` and `strasse`, full-width letters) is found, but not marked.
    """
    spellings = []
    for term in asked:
        if term.run:
            spellings.append(re.escape(term.run))
        else:
            rest = r"\w{0,64}" if term.is_open else r"(?![^\W_])"
            spellings.append(rf"(?<![^\W_]){re.escape(term.words[0])}{rest}")
    spellings.sort(key=len, reverse=True)
    return re.compile("|".join(spellings) or r"(?!)", re.IGNORECASE)
