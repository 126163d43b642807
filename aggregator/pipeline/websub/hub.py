"""Our own WebSub hub: readers subscribe to our documents, and get each new version as soon as it is there.

It sends requests to addresses that strangers name, so every number here has a bound: how many may subscribe, how many
callbacks are asked in a minute, how many deliveries are made at a time. What it owes to whom is what the store says was
sent, held against the documents in the output, so that nothing is lost when it ends, whoever wrote the documents.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from aggregator.errors import FetchError, HttpStatus
from aggregator.ingest.addresses import is_private_host
from aggregator.models import Document
from aggregator.pipeline.regenerate import OWN_HUB
from aggregator.pipeline.websub.messenger import host_of, why
from aggregator.pipeline.websub.office import Office, shown
from aggregator.pipeline.websub.topics import Published
from aggregator.publish.site import encoded
from aggregator.push.leases import retry_in_s
from aggregator.push.messages import Answer, Wish, link_header, read_form, verification_url, wish_of
from aggregator.push.pace import Pace
from aggregator.push.signing import SIGNATURE, signature
from aggregator.store.store import Transaction
from aggregator.store.subscribers import Subscriber

MOST = 10_000  # subscriptions in all
MOST_PER_HOST = 1000  # of callbacks at one host: a service that reads for many has one for each document
_PENDING = 200  # callbacks that wait to be asked
_PER_MINUTE = 60  # callbacks asked at one host: more would make us the tool of an attack on it
_PER_MINUTE_IN_ALL = 300
_TRIES = 5  # deliveries of one version to one callback
_SWEEP = timedelta(hours=1)
_GONE = 410

_Key = tuple[str, str]  # a document's path and a callback


class Hub:
    """Takes subscriptions, has callbacks confirm them, and delivers; may be called from any thread."""

    def __init__(self, office: Office, clock: Callable[[], float]) -> None:
        self._office = office
        self._pace = Pace(_PER_MINUTE, _PER_MINUTE_IN_ALL, clock)
        self._lock = threading.Lock()
        self._documents: Published | None = None
        self._pending: dict[_Key, Wish] = {}
        self._underway: set[_Key] = set()
        self._looked_at: dict[str, str] = {}  # the ETag of each document when it was last seen who is owed it
        self._sweep_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the configuration wants a hub of our own."""
        return self._office.desk.config.websub.hub == "builtin"

    def take(self, body: bytes) -> Answer:
        """What somebody who sent a form is answered; what comes of it is decided later (§5.1.2)."""
        if not self.is_open:
            return Answer(404, "There is no hub here.")
        try:
            form = read_form(body)
        except ValueError:
            return Answer(400, "The body is no form in UTF-8.")
        wish = wish_of(form)
        if isinstance(wish, Answer):
            return wish
        path = self._published().path_of(wish.topic)
        if path is None:
            return Answer(404, "hub.topic is no document of this site.")
        if not self._office.desk.config.fetch.allow_private and is_private_host(wish.host):
            return Answer(400, "hub.callback is no public address.")
        return self._admitted((path, wish.callback), wish)

    def tick(self, now: datetime) -> None:
        """Sends what is owed to those who may be sent it now; the sending is done by others."""
        if not self.is_open:
            return
        store, documents = self._office.desk.store, self._published()
        with store.read() as tx:
            topics, waiting = tx.subscribers.topics(), set(tx.subscribers.waiting(now))
        for path in topics:
            etag = documents.etag(path)
            with self._lock:
                if etag is None or (self._looked_at.get(path) == etag and path not in waiting):
                    continue
                self._looked_at[path] = etag  # first: an older version that arrives meanwhile takes it back
            try:
                with store.read() as tx:
                    owed = tx.subscribers.owed(path, etag, now)
            except Exception:
                self._look_again(path)
                raise
            for one in owed:
                self._send(one)
        if self._sweep_at is None or now >= self._sweep_at:
            self._sweep_at = now + _SWEEP
            documents.keep(set(topics))
            if topics:
                with store.write() as tx:
                    tx.subscribers.expire(now)

    def _published(self) -> Published:
        config = self._office.desk.config
        with self._lock:
            known = self._documents
            if known is None or (known.output, known.base_url) != (config.output, config.site.base_url):
                known = self._documents = Published(config.output, config.site.base_url)
            return known

    def _admitted(self, key: _Key, wish: Wish) -> Answer:
        """Has the callback asked, unless there is no room."""
        with self._office.desk.store.read() as tx:
            full = _lack_of_room(tx, key, wish)
        if full:
            return Answer(503, full, retry_after_s=3600)
        with self._lock:
            if key not in self._pending and len(self._pending) >= _PENDING:
                return Answer(503, "Too many subscriptions wait to be confirmed.", retry_after_s=60)
            if not self._pace.admits(wish.host):
                return Answer(429, "Too many subscriptions in a minute.", retry_after_s=60)
            is_new = key not in self._pending
            self._pending[key] = wish  # of several, the last one counts, and the callback is asked once
        if is_new:
            self._office.couriers.send(wish.host, partial(self._verify, key))
        return Answer(202, "The callback will be asked.")

    def _verify(self, key: _Key) -> None:
        """Asks a callback whether it wants what somebody asked for (§5.3)."""
        with self._lock:
            wish = self._pending.pop(key, None)
        if wish is None:
            return
        challenge = secrets.token_urlsafe(32)
        try:
            echoed = self._office.messenger().echo(verification_url(wish, challenge))
        except FetchError as error:
            self._office.log("a callback did not confirm", mode=wish.mode, topic=shown(key[0]), error=why(error))
            return
        if not hmac.compare_digest(echoed, challenge.encode()):
            self._office.log(
                "a callback did not echo the challenge", mode=wish.mode, topic=shown(key[0]), host=wish.host
            )
            return
        self._settle(key, wish)

    def _settle(self, key: _Key, wish: Wish) -> None:
        """Remembers what a callback confirmed; who is new gets the next version, and not the one there is."""
        path, callback = key
        until = self._office.desk.now() + timedelta(seconds=wish.lease_s)
        etag = self._published().etag(path) or ""
        with self._office.desk.store.write() as tx:
            if wish.mode == "unsubscribe":
                tx.subscribers.remove(path, callback)
            elif not _lack_of_room(tx, key, wish):  # others may have come meanwhile
                known = tx.subscribers.at(path, callback)
                tx.subscribers.put(
                    Subscriber(
                        topic=path,
                        callback=callback,
                        host=wish.host,
                        secret=wish.secret,
                        until=until,
                        sent=known.sent if known else etag,
                        failures=known.failures if known else 0,
                        not_before=known.not_before if known else None,
                    )
                )
        self._look_again(path)  # it may have changed since its ETag was read
        self._office.log(f"{wish.mode}d", topic=shown(path), host=wish.host)

    def _look_again(self, path: str) -> None:
        """Has the next tick see who is owed a document."""
        with self._lock:
            self._looked_at.pop(path, None)

    def _send(self, one: Subscriber) -> None:
        key = (one.topic, one.callback)
        with self._lock:
            if key in self._underway:
                return
            self._underway.add(key)
        self._office.couriers.send(one.host, partial(self._deliver, key))

    def _deliver(self, key: _Key) -> None:
        """Sends the newest version of a document to a callback that has not got it."""
        path, callback = key
        etag = None
        try:
            document = self._published().read(path)
            with self._office.desk.store.read() as tx:
                one = tx.subscribers.at(path, callback)
            if document is None:
                return
            etag = document.etag
            if one is not None and one.sent != etag and one.until > self._office.desk.now():
                self._post(one, document)
        finally:
            with self._lock:
                self._underway.discard(key)
                if self._looked_at.get(path) != etag:
                    self._looked_at.pop(path, None)  # it changed on the way: who is owed what is to be seen again

    def _post(self, one: Subscriber, document: Document) -> None:
        office, base_url = self._office, self._office.desk.config.site.base_url
        headers = {
            "Content-Type": document.media_type,
            "Link": link_header(base_url + OWN_HUB, base_url + encoded(document.path)),
        }
        if one.secret:
            headers[SIGNATURE] = signature(one.secret, document.body)
        try:
            office.messenger().deliver(one.callback, document.body, headers)
        except FetchError as error:
            self._failed(one, document.etag, error)
            return
        with office.desk.store.write() as tx:
            tx.subscribers.delivered(one.topic, one.callback, document.etag)

    def _failed(self, one: Subscriber, etag: str, error: FetchError) -> None:
        """A delivery that failed is tried again a few times; the subscription stays until its lease ends (§7)."""
        office, failures = self._office, one.failures + 1
        is_gone = isinstance(error, HttpStatus) and error.status == _GONE
        with office.desk.store.write() as tx:
            if is_gone:
                tx.subscribers.remove(one.topic, one.callback)
            elif failures >= _TRIES:
                tx.subscribers.delivered(one.topic, one.callback, etag)
            else:
                again = office.desk.now() + timedelta(seconds=retry_in_s(failures, office.random))
                tx.subscribers.failed(one.topic, one.callback, failures, again)
        then = "unsubscribed" if is_gone else "given up" if failures >= _TRIES else "tried again later"
        office.log("a delivery failed", topic=shown(one.topic), host=host_of(one.callback), error=str(error), then=then)


def _lack_of_room(tx: Transaction, key: _Key, wish: Wish) -> str:
    """Why somebody cannot subscribe, whoever it is; empty where they can. Who has subscribed can always renew or leave."""
    if wish.mode == "unsubscribe" or tx.subscribers.at(*key) is not None:
        return ""
    if tx.subscribers.count() >= MOST:
        return "This hub has as many subscriptions as it can have."
    if tx.subscribers.count(wish.host) >= MOST_PER_HOST:
        return "This hub has as many subscriptions of that host as it can have."
    return ""
