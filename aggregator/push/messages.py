"""What subscribers, hubs and publishers say to each other: forms, and what is added to a callback's query (WebSub §5, §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from aggregator.push.leases import DEFAULT_S, granted_s

Mode = Literal["subscribe", "unsubscribe"]
FORM = "application/x-www-form-urlencoded"
_SECRET_BYTES = 200  # §5.1: a secret has fewer
_LONGEST = (
    1000  # bytes of a callback: with its document's path, it has to fit into PostgreSQL's indexes, which take 2,704
)
_FIELDS = 100  # in one form


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP request is answered: a status, a text for whoever programs the other side, and when to come again."""

    status: int
    text: str = ""
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks a hub for, checked as far as it says itself; the callback has not confirmed it yet."""

    mode: Mode
    topic: str
    callback: str
    lease_s: int = DEFAULT_S
    secret: str = ""

    @property
    def host(self) -> str:
        """The host of the callback; raises ValueError where that cannot be one."""
        return _host_of(self.callback)


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form, each as it stands there first; raises ValueError for what is no form in UTF-8."""
    pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    return dict(reversed(pairs))


def wish_of(form: Mapping[str, str]) -> Wish | Answer:
    """What a form that was sent to our hub asks for, or the answer that says what is wrong with it (§5.1)."""
    mode, topic, callback = (form.get(f"hub.{name}", "") for name in ("mode", "topic", "callback"))
    if mode == "publish":
        return Answer(403, "This hub knows by itself when the documents of its own site change; it takes no others.")
    if mode not in ("subscribe", "unsubscribe"):
        return Answer(400, "hub.mode must be subscribe or unsubscribe.")
    fault = f"hub.callback {fault}" if (fault := _fault_of(callback)) else "" if topic else "hub.topic is missing"
    if fault:
        return Answer(400, f"{fault}.")
    secret = form.get("hub.secret", "")
    if len(secret.encode()) >= _SECRET_BYTES or not secret.isprintable():
        return Answer(400, f"hub.secret must be less than {_SECRET_BYTES} bytes of text.")
    try:
        lease_s = granted_s(form.get("hub.lease_seconds", ""))
    except ValueError:
        return Answer(400, "hub.lease_seconds must be a whole number of seconds.")
    return Wish("subscribe" if mode == "subscribe" else "unsubscribe", topic, callback, lease_s, secret)


def _fault_of(callback: str) -> str:
    """What is wrong with a callback; empty where nothing is."""
    if not callback:
        return "is missing"
    if len(callback.encode()) > _LONGEST:
        return f"is longer than {_LONGEST:,} bytes"
    try:
        parts = urlsplit(callback)
        fine = parts.scheme in ("http", "https") and bool(_host_of(callback)) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not callback.isprintable() or " " in callback:
        return "must be an http: or https: URL"
    if parts.username is not None or parts.fragment:
        return "must hold neither a user nor a fragment"
    return ""


def _host_of(url: str) -> str:
    """The host of a URL, in one spelling: as it is looked up. Raises ValueError where it cannot be."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if "%" in host and ":" not in host:  # it would be looked up as it stands there
        raise ValueError("a host is not percent-encoded")
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - few hosts need it

    return idna.encode(host, uts46=True).decode().rstrip(".")


def verification_url(wish: Wish, challenge: str) -> str:
    """Where a callback is asked whether it wants what somebody asked for (§5.3); its own query stays in front."""
    said = {"hub.mode": wish.mode, "hub.topic": wish.topic, "hub.challenge": challenge}
    if wish.mode == "subscribe":
        said["hub.lease_seconds"] = str(wish.lease_s)
    return f"{wish.callback}{'&' if '?' in wish.callback else '?'}{urlencode(said)}"


def subscription_form(wish: Wish) -> bytes:
    """The body that asks a hub for a subscription, or to end one."""
    said = {"hub.mode": wish.mode, "hub.topic": wish.topic, "hub.callback": wish.callback}
    if wish.mode == "subscribe":
        said |= {"hub.lease_seconds": str(wish.lease_s), "hub.secret": wish.secret}
    return urlencode(said).encode()


def publish_form(topics: Sequence[str]) -> bytes:
    """The body that tells a hub which documents changed.

    WebSub (§6) leaves open how. All hubs know `hub.url`, which PubSubHubbub had, and newer ones `hub.topic` too.
    """
    pairs = [("hub.mode", "publish")]
    for topic in topics:
        pairs += [("hub.url", topic), ("hub.topic", topic)]
    return urlencode(pairs).encode()


def link_header(hub: str, topic: str) -> str:
    """The Link header of a document: its hub, and where it is itself (§7)."""
    return f'<{hub}>; rel="hub", <{topic}>; rel="self"'
