"""The feeds of a page, found as a person would: what it names, what it links to, what most sites call theirs.

`fetch` is the one thing here that does anything; everything else decides on what it brought.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import urljoin, urlsplit, urlunsplit

from aggregator.errors import FetchError, HttpStatus, IngestError, ParseError
from aggregator.ingest.feedtext import decode
from aggregator.ingest.feedurls import absolute, is_web, public_url, safe_url
from aggregator.ingest.opml import Listing, opml_of, read_opml, source_name
from aggregator.ingest.rsshub import route_url
from aggregator.ingest.sniff import feed_links, is_html, root_of
from aggregator.models import Fetched

# With these `cli` gets what it needs of `ingest`, which it may not import.
__all__ = [
    "Candidate",
    "Listing",
    "find_feeds",
    "has_credentials",
    "kind_of",
    "opml_of",
    "printable",
    "public_url",
    "read_opml",
    "route_url",
    "safe_url",
    "same_place",
    "source_name",
]

# What sites call their feed, the more usual first: WordPress, Hugo, Jekyll, Hexo, Ghost, JSON Feed, Blogger.
COMMON = (
    "feed",
    "feed.xml",
    "rss.xml",
    "atom.xml",
    "index.xml",
    "feed.json",
    "rss",
    "feed/atom",
    "feeds/posts/default",
)
_BELOW = COMMON[:5]  # what is tried below the page's own folder, before the root
_LONGEST_TITLE = 200
_NAMED = 10  # links of one page that are looked at
_GUESSED = 5
_HEAD = 400_000  # characters of a page in which links to feeds are looked for
_ANCHOR = re.compile(r"<a\s[^<>]{0,1000}?\bhref\s*=\s*[\"']?([^\s\"'<>]{1,500})", re.IGNORECASE)
_LIKE_A_FEED = re.compile(
    r"/(?:feed|rss|atom)/?$|/(?:feed|rss2?|atom|index|news|posts|blog)\.(?:xml|json|rss|atom|rdf)$|\.(?:rss|atom|rdf)$",
    re.IGNORECASE,
)
_COMMENTS = re.compile(
    r"\bcomments?\b", re.IGNORECASE
)  # WordPress names the feed of its comments beside that of its posts
_VERSION = re.compile(r"""<rss\b[^<>]{0,2000}?\sversion\s*=\s*["']([\w.]{1,8})""", re.IGNORECASE)
_JSON_VERSION = re.compile(r"jsonfeed\.org\\?/version\\?/([\d.]{1,8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A feed that was found: `url` is what to configure, and may hold credentials; `newest` is a day such as 2026-11-20."""

    url: str
    kind: str
    title: str = ""
    posts: int = 0
    newest: str | None = None


def find_feeds(fetch: Callable[[str], Fetched], url: str) -> list[Candidate]:
    """The feeds at a URL, the likeliest first: itself, else those its page names, links to, or is likely to have.

    Raises IngestError where the URL cannot be had, and ParseError where nothing was found, with what was tried.
    """
    answer = fetch(url)
    content_type = answer.headers.get("content-type", "")
    try:
        return [_candidate(answer, url)]
    except ParseError as error:
        text, _ = decode(answer.body, content_type)
        if root_of(text) == "opml":
            raise ParseError(f"{error}; `type: opml` follows it, `aggregator sources import` takes a copy") from error
        if not is_html(text):
            raise
    problems: list[str] = []
    named = [_with_userinfo(link, url) for link in feed_links(text, answer.url) if is_web(link)][:_NAMED]
    named.sort(key=lambda link: bool(_COMMENTS.search(urlsplit(link).path)))
    found = list(_each(fetch, named, problems))
    if not found:
        guesses = [_with_userinfo(link, url) for link in _anchors(text, answer.url)]
        found = list(_each(fetch, [link for link in guesses if link not in named], problems))
    if not found:
        found = _first(fetch, (_with_userinfo(link, url) for link in _common(answer.url)))
    if not found:
        raise ParseError(f"no feed was found at {safe_url(url)}: {_in_words(problems)}")
    return found


def _each(fetch: Callable[[str], Fetched], links: Iterable[str], problems: list[str]) -> Iterator[Candidate]:
    """Those of the links that are feeds, each once; why the others are none goes to `problems`."""
    seen: set[str] = set()
    for link in links:
        try:
            answer = fetch(link)
            if answer.url not in seen:
                seen.add(answer.url)
                yield _candidate(answer, link)
        except IngestError as error:
            problems.append(f"{safe_url(link)}: {error}")


def _first(fetch: Callable[[str], Fetched], links: Iterable[str]) -> list[Candidate]:
    """The first of the links that is a feed; a host that does not answer, or wants to be left alone, is not asked on."""
    for link in links:
        try:
            return [_candidate(fetch(link), link)]
        except HttpStatus as error:
            if error.status in (429, 503):
                return []
        except ParseError:
            continue
        except FetchError:
            return []
    return []


def _in_words(problems: list[str]) -> str:
    """What was tried in vain."""
    if problems:
        return "what its page names is none (" + "; ".join(problems[:3]) + ")"
    return f"its page names none, and there is none at the usual places ({', '.join(f'/{path}' for path in COMMON[:4])}, …)"


def _candidate(answer: Fetched, asked: str) -> Candidate:
    """The feed that an answer holds; raises ParseError."""
    from aggregator.ingest.feed import parse_feed  # noqa: PLC0415 - feedparser is 0.1 s, which OPML does without
    from aggregator.normalize.dates import read_date  # noqa: PLC0415

    content_type = answer.headers.get("content-type", "")
    parsed = parse_feed(answer.body, url=answer.url, content_type=content_type)
    raw = (draft.published or draft.updated for draft in parsed.drafts)
    dates = [moment for text in raw if text and (moment := read_date(text, UTC))]
    moved = is_web(answer.moved) and not (asked.startswith("https:") and answer.moved.startswith("http:"))
    return Candidate(
        url=_with_userinfo(answer.moved, asked) if moved else asked,
        kind=kind_of(answer.body, content_type),
        title=printable(parsed.title)[:_LONGEST_TITLE],
        posts=len(parsed.drafts),
        newest=f"{max(dates):%Y-%m-%d}" if dates else None,
    )


def kind_of(body: bytes, content_type: str = "") -> str:
    """What people call the format of a feed: `RSS 2.0`, `Atom 1.0`, `JSON Feed 1.1`."""
    head = decode(body[:20_000], content_type)[0].lstrip("\ufeff \t\r\n\0")
    if head[:1] in ("{", "["):
        version = _JSON_VERSION.search(head)
        return f"JSON Feed {version[1]}" if version else "JSON Feed"
    root = root_of(head)
    if root == "feed":
        return "Atom 0.3" if "purl.org/atom/ns" in head else "Atom 1.0"
    if root == "rss":
        rss = _VERSION.search(head)
        return f"RSS {rss[1]}" if rss else "RSS"
    return {"rdf": "RSS 1.0", "channel": "CDF"}.get(root, "a feed")


def _anchors(page: str, url: str) -> list[str]:
    """What the page links to that is called as feeds are, as absolute URLs."""
    links = (absolute(html.unescape(match[1]), url) for match in _ANCHOR.finditer(page[:_HEAD]))
    alike = (link.partition("#")[0] for link in links if is_web(link) and _LIKE_A_FEED.search(urlsplit(link).path))
    return list(dict.fromkeys(alike))[:_GUESSED]


def _common(url: str) -> Iterator[str]:
    """Where a site is likely to have its feed: below the page's own folder first, then at its root."""
    parts = urlsplit(url)
    folder = parts.path if parts.path.endswith("/") else parts.path.rpartition("/")[0] + "/"
    places = [(folder, path) for path in _BELOW] if folder not in ("", "/") else []
    for base, path in (*places, *(("/", path) for path in COMMON)):
        yield urljoin(url, base + path)


def _with_userinfo(link: str, asked: str) -> str:
    """The link with the user and password that its own host was asked with: pages name their feeds without."""
    parts, given = urlsplit(link), urlsplit(asked)
    userinfo, at, _ = given.netloc.rpartition("@")
    if (
        not at
        or "@" in parts.netloc
        or (parts.scheme, parts.netloc) != (given.scheme, given.netloc[len(userinfo) + 1 :])
    ):
        return link
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


def has_credentials(url: str) -> bool:
    """Whether a URL holds user and password, or a parameter that is a credential by its name."""
    return "@" in urlsplit(url).netloc or "=***" in safe_url(url)


def same_place(url: str) -> str:
    """What two URLs have in common that ask the same: not their scheme, user, fragment, `www.` or slash at the end."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removeprefix("www."), parts.port
    except ValueError:
        return url
    where = host if port in (None, 80, 443) else f"{host}:{port}"
    return f"{where}{parts.path.rstrip('/')}?{parts.query}"


def printable(text: str) -> str:
    """The text on one line, without what could move a terminal's cursor: pages and servers may say anything."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
