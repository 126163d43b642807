"""An answer as headers and bytes, before anybody knows over which way it is sent."""

from __future__ import annotations

from http import HTTPStatus

Headers = tuple[tuple[bytes, bytes], ...]


Body = bytes | memoryview  # a view where it is a part of something in memory


class Answer:
    """A status, headers with names in lower case, and a body.

    `Date` and `Connection` belong to the connection and are not among the headers; a HEAD gets them all, and no body.
    """

    __slots__ = ("body", "headers", "status", "wire")

    def __init__(self, status: int, headers: Headers, body: Body = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        phrase = HTTPStatus(status).phrase.encode()
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.wire = b"HTTP/1.1 %d %b\r\n%b" % (status, phrase, lines)  # the head, but for its end

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, or None."""
        return next((value for own, value in self.headers if own == name), None)


# What every answer says, whatever it is: nothing of ours is to be guessed at.
ALWAYS: Headers = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))

# Pages say the rest of their policy in their markup, where a static host serves them too; only a header can say this.
_PAGE_POLICY: Headers = ((b"content-security-policy", b"frame-ancestors 'none'"),)


def policy(media_type: bytes) -> Headers:
    """The policy that goes with an answer of a kind: of pages, that nobody puts them into a frame of theirs."""
    return _PAGE_POLICY if media_type.startswith(b"text/html") else ()


_TEXTS = {
    400: "That is no request this server understands.",
    401: "This page is for those who know its token: add ?token=… to the address.",
    403: "That is not for you.",
    404: "There is nothing here.",
    405: "That cannot be done here.",
    408: "The request took too long to arrive.",
    412: "It is not the version you asked for.",
    413: "That is more than this server takes.",
    414: "That address is too long.",
    416: "It has no such bytes.",
    431: "Those headers are too long.",
    500: "Something went wrong here, and was logged.",
    503: "This server has too much to do; try again soon.",
}


def plain(status: int, headers: Headers = (), text: str = "", *, held: bytes = b"no-store") -> Answer:
    """A short answer for people, the same for everybody, which says nothing of what is inside; `held` is its Cache-Control."""
    body = (
        f"{status} {HTTPStatus(status).phrase}: {text or _TEXTS.get(status, HTTPStatus(status).description)}\n".encode()
    )
    own = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", held),
    )
    return Answer(status, own + headers + ALWAYS, body)
