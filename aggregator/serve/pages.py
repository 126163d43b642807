"""The pages for people over HTTP: the list of feeds, each feed, each post, search, and the status.

They are made in threads, in the language that a reader likes best, and kept until a post or a feed changes. Whatever is no
page of these falls through to the documents: static pages lie there, and private feeds with theirs.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from threading import Lock
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from aggregator.config.models import Config
from aggregator.pipeline.published import url_path
from aggregator.pipeline.showing import LANGUAGES, Shower, StatusQuestion, is_feed_directory, spoken
from aggregator.pipeline.standing import Activity, read_activity
from aggregator.serve.answer import plain
from aggregator.serve.app import response_of
from aggregator.serve.conditions import NOT_MODIFIED, PRECONDITION_FAILED, asked, precondition
from aggregator.serve.negotiate import acceptable, language_for
from aggregator.serve.pagecache import Page, PageCache
from aggregator.serve.replies import moved
from aggregator.serve.running import Running
from aggregator.serve.targets import prefix_of, view_of

_HTML = "text/html; charset=utf-8"
_FRESH_S = 60  # that a page may be shown without asking again
_ACTIVITY_S = 60.0  # for which counting all posts once is enough
_MAX_QUERY = 200  # characters: what is longer is cut before anything looks at it
_NUMBER = re.compile(r"[1-9][0-9]{0,6}")


def routes(running: Running, *, figures: Callable[[], Mapping[str, int]] = dict) -> list[Route]:
    """The routes of all pages; `figures` are numbers of others for the status page, by name."""
    pages = _Pages(running, figures)
    return [
        Route("/", pages.front, methods=["GET"]),
        Route("/search", pages.search, methods=["GET"]),
        Route("/status", pages.status, methods=["GET"]),
        Route("/status.json", pages.status_json, methods=["GET"]),
        Route("/search/", pages.without_slash, methods=["GET"]),
        Route("/status/", pages.without_slash, methods=["GET"]),
        Route("/posts/{name}/", pages.post, methods=["GET"]),
        Route("/posts/{name}/index.html", pages.post, methods=["GET"]),  # to which pages link that are files
        Route("/posts/{name}", pages.post_folder, methods=["GET"]),
        _FeedRoute(running, pages.feed),
    ]


class _FeedRoute(Route):
    """Matches the directories where a feed's page may lie, by the configuration in force; all others fall through."""

    def __init__(self, running: Running, endpoint: Callable[[Request], Response]) -> None:
        super().__init__("/{directory:path}/", endpoint, methods=["GET"])
        self._running = running

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the page of a feed is asked for."""
        match, child = super().matches(scope)
        if match is not Match.NONE and not is_feed_directory(self._running.config, child["path_params"]["directory"]):
            return Match.NONE, {}
        return match, child


class _Pages:
    """The endpoints; Starlette runs what is no coroutine in a thread."""

    def __init__(self, running: Running, figures: Callable[[], Mapping[str, int]]) -> None:
        self._running, self._figures = running, figures
        self._cache = PageCache()
        self._counted: tuple[float, Activity] | None = None
        self._counting = Lock()

    def front(self, request: Request) -> Response:
        """The list of feeds."""
        return self._kept(request, ("front",), lambda shower, language: shower.front(language))

    def feed(self, request: Request) -> Response:
        """A page of a feed."""
        directory, number = request.path_params["directory"], _page_number(request)
        return self._kept(
            request, ("feed", directory, number), lambda shower, language: shower.feed(directory, number, language)
        )

    def post(self, request: Request) -> Response:
        """A post's page."""
        name = request.path_params["name"]
        return self._kept(request, ("post", name), lambda shower, language: shower.post(name, language))

    def post_folder(self, request: Request) -> Response:
        """The way to a post's page, for whoever left out the slash at its end."""
        config, name = self._running.config, request.path_params["name"]
        if not Shower(config, self._running.store).has_post(name):
            raise HTTPException(404)
        return response_of(moved(f"posts/{name}/", view_of(config, ())))

    def without_slash(self, request: Request) -> Response:
        """The way to a page that is no folder, for whoever ended its address with a slash."""
        place = url_path(prefix_of(self._running.config.site.base_url) + request.scope["path"].strip("/"))
        query = request.scope["query_string"]
        location = place.encode() + (b"?" + query if query else b"")
        return response_of(plain(301, ((b"location", location),), "It is no folder."))

    def search(self, request: Request) -> Response:
        """What was found; not kept, because the index follows the posts later."""
        config = self._running.config
        if not config.serve.search:
            raise HTTPException(404)
        query = request.query_params.get("q", "")[:_MAX_QUERY].strip()
        language = _language(request, config)
        body, is_complete = Shower(config, self._running.store).search(query, _page_number(request), language)
        if body is None:
            raise HTTPException(404)
        if not is_complete:
            return Response(body, 503, _headers(language), media_type=_HTML)
        return _answer(request, Page(body), language)

    def status(self, request: Request) -> Response:
        """How everything stands, for people."""
        config = self._may_see_status(request)
        language = _language(request, config)
        wanted = config.status.token.get_secret_value() if config.status.token else ""
        # Nothing but the token itself, which needs no quoting: who sends it as a header may say anything here.
        query = f"token={wanted}&" if wanted and request.query_params.get("token") == wanted else ""
        body = Shower(config, self._running.store).status_page(
            self._question(config), _page_number(request), language, query
        )
        if body is None:
            raise HTTPException(404)
        return Response(body, 200, {**_headers(language), "cache-control": "no-store"}, media_type=_HTML)

    def status_json(self, request: Request) -> Response:
        """The same as data, with what the page plots."""
        config = self._may_see_status(request)
        question = self._question(config)
        found = Shower(config, self._running.store).status(question)
        data: dict[str, Any] = {
            "faults": list(question.faults),
            "problem": question.problem or None,
            "queue": asdict(self._running.queue),
            **asdict(found),
        }
        return JSONResponse(data, 200, {"cache-control": "no-store"})

    def _kept(self, request: Request, key: tuple[Any, ...], make: Callable[[Shower, str], bytes | None]) -> Response:
        """A page that stays the same until a post or a feed changes."""
        config = self._running.config
        shower, language = Shower(config, self._running.store), _language(request, config)
        # Another configuration is another object, which the version keeps alive: its id cannot come back.
        version = (shower.version(), _Same(config))
        page = self._cache.get((*key, language), version, lambda: make(shower, language))
        if page is None:
            raise HTTPException(404)
        return _answer(request, page, language)

    def _may_see_status(self, request: Request) -> Config:
        """The configuration, for whoever may see the status.

        Without the token the answer is 401 and not 404: the address is no secret, it stands in the manual, and whoever
        forgot the token should not look for what is broken.
        """
        config = self._running.config
        if not config.status.enabled:
            raise HTTPException(404)
        if config.status.token is not None:
            wanted = config.status.token.get_secret_value().encode()
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            shown = given.strip() if scheme.lower() == "bearer" else request.query_params.get("token", "")
            if not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), wanted):
                raise HTTPException(
                    401, headers={"www-authenticate": 'Bearer realm="status"', "cache-control": "no-store"}
                )
        return config

    def _question(self, config: Config) -> StatusQuestion:
        running, queue = self._running, self._running.queue
        return StatusQuestion(
            now=running.now(),
            next_due=running.next_due(),
            faults=running.faults,
            problem=running.problem(),
            figures={"due": queue.due, "asking": queue.asking, **self._cache.figures(), **self._figures()},
            activity=self._activity(config),
        )

    def _activity(self, config: Config) -> Activity:
        """What is counted over all posts, once a minute."""
        with self._counting:
            if self._counted is None or time.monotonic() - self._counted[0] > _ACTIVITY_S:
                found = read_activity(self._running.store, self._running.now(), config.site.timezone)
                self._counted = (time.monotonic(), found)
            return self._counted[1]


class _Same:
    """Equal to itself alone: compares a configuration by what it is, and not by what stands in it."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._config is self._config

    def __hash__(self) -> int:
        return id(self._config)


def _language(request: Request, config: Config) -> str:
    return language_for(request.headers.get("accept-language", ""), LANGUAGES, spoken(config.site.language))


def _page_number(request: Request) -> int:
    """The page that is asked for; a 404 for what is no number of a page."""
    given = request.query_params.get("page", "1")
    if not _NUMBER.fullmatch(given):
        raise HTTPException(404)
    return int(given)


def _headers(language: str) -> dict[str, str]:
    return {"content-language": language, "vary": "Accept-Language, Accept-Encoding"}


def _answer(request: Request, page: Page, language: str) -> Response:
    """The page, or that it is the one which the reader has (RFC 9110 §13); HEAD gets what GET would, less the body."""
    ask = asked(request.method.encode(), request.headers.raw)
    coding = page.coding(acceptable(ask.accept_encoding)[0])
    etag = page.etag(coding)
    headers = {**_headers(language), "etag": etag.decode(), "cache-control": f"public, max-age={_FRESH_S}"}
    status = precondition(ask, etag, None)
    if status == PRECONDITION_FAILED:
        raise HTTPException(status)  # which is no answer for anybody else
    if status == NOT_MODIFIED:
        return Response(None, status, headers)
    if coding:
        headers["content-encoding"] = coding
    return Response(page.body(coding), 200, headers, media_type=_HTML)
