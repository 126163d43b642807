"""Refusals as pages, for people: whoever asked for no page gets the plain text that scripts and readers can show."""

from __future__ import annotations

from starlette.types import Scope

from aggregator.config.models import Config
from aggregator.pipeline.showing import LANGUAGES, notice, spoken
from aggregator.serve.answer import Answer
from aggregator.serve.negotiate import language_for, names
from aggregator.serve.running import Running

_PAGES = {401: "locked", 404: "missing"}
_LONGEST = 1000  # bytes of a header that are looked at, and kept for those who send the same
_ABOUT_BODY = frozenset({b"content-type", b"content-length"})


class Notices:
    """Makes each page once in each language; the same for every address, so that none tells what lies beside it."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._made: tuple[Config | None, dict[tuple[str, str], bytes]] = (None, {})

    def instead_of(self, answer: Answer, scope: Scope) -> Answer:
        """The same refusal as a page where the client names HTML among what it accepts, as browsers do when people look."""
        kind = _PAGES.get(answer.status)
        accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
        if kind is None or not names(accept[:_LONGEST], "text/html"):
            return answer
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if kind == "locked" and b"token=" in scope["query_string"]:
            kind = "refused"
        config = self._running.config
        wanted = headers.get(b"accept-language", b"").decode("latin-1")
        language = language_for(wanted, LANGUAGES, spoken(config.site.language))
        body = self._page(config, kind, language)
        own = (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"content-language", language.encode()),
        )
        return Answer(answer.status, own + tuple(one for one in answer.headers if one[0] not in _ABOUT_BODY), body)

    def _page(self, config: Config, kind: str, language: str) -> bytes:
        made_for, pages = self._made
        if made_for is not config:
            self._made = (config, pages := {})
        found = pages.get((kind, language))
        if found is None:
            found = pages[kind, language] = notice(config, kind, language)
        return found
