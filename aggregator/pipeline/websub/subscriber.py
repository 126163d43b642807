"""Subscribing at the hubs that sources name, so that their news is pushed to us (WebSub §5, §7)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, RsshubSource
from aggregator.errors import FetchError
from aggregator.ingest.addresses import is_private_host
from aggregator.pipeline.regenerate import OWN_HUB
from aggregator.pipeline.websub.leasing import Wanted, confirmed, plan, refused
from aggregator.pipeline.websub.messenger import host_of, why
from aggregator.pipeline.websub.office import Office
from aggregator.push.leases import DEFAULT_S
from aggregator.push.messages import Answer, Mode, Wish, subscription_form
from aggregator.push.signing import is_signed
from aggregator.store.codec import digest
from aggregator.store.leases import LEASED, Lease, LeaseState

_LOOK_EVERY = timedelta(seconds=30)  # with 2,000 leases a look takes 0.1 s
_LOCAL = (".local", ".internal", ".lan", ".home.arpa", ".test", ".invalid")  # names that mean something only nearby


@dataclass(frozen=True, slots=True)
class Taken:
    """What a hub that pushes is answered, and the source for which the body is to be stored; empty: it is ignored."""

    answer: Answer
    source: str = ""
    hashed: str = ""  # names the body


class Subscriber:
    """Keeps a lease for each source whose hub can reach us; may be called from any thread."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._looked: tuple[Config | None, datetime] = (None, datetime.min.replace(tzinfo=UTC))

    def tick(self, now: datetime) -> None:
        """Asks for leases, renews them and ends them, as their time comes; the asking is done by others."""
        store, config = self._office.desk.store, self._office.desk.config
        known, looked_at = self._looked
        if known is config and timedelta(0) <= now - looked_at < _LOOK_EVERY:
            return
        self._looked = (config, now)
        with store.read() as tx:
            wanted = wanted_of(config, tx.sources.hubs())
            if not plan(tx.leases.all(), wanted, now, _minted).is_anything:
                return
        with store.write() as tx:
            made = plan(tx.leases.all(), wanted, now, _minted)  # again, as a hub may have confirmed something meanwhile
            tx.leases.put(list(made.changed.values()))
            tx.leases.forget(made.forgotten)
            tx.sources.expect_pushes(made.unpushed, None)
        for lease in made.to_ask:
            self._office.couriers.send(host_of(lease.hub), partial(self._ask, lease))

    def confirm(self, callback: str, query: Mapping[str, str]) -> Answer:
        """What a hub is answered that asks whether we want what we asked for, or tells us that we cannot have it."""
        desk = self._office.desk
        if (refusal := self.refusal(callback)) is not None:
            return refusal
        with desk.store.write() as tx:
            lease = tx.leases.at(callback)
            if lease is None:
                return _UNKNOWN
            later, answer = confirmed(lease, query, desk.now())
            if later != lease:
                tx.leases.put([later])
                if lease.state in LEASED and later.state not in LEASED:
                    tx.sources.expect_pushes([lease.source], None)
        if later != lease:
            self._office.log(f"a hub said {query.get('hub.mode')}", source=lease.source, host=host_of(lease.hub))
        return answer

    def refusal(self, callback: str) -> Answer | None:
        """What whoever asks anything of a callback is answered that is unknown or has ended; None for one that is in use."""
        with self._office.desk.store.read() as tx:
            lease = tx.leases.at(callback)
        if lease is None:
            return _UNKNOWN
        return _ENDED if lease.state is LeaseState.ENDED else None

    def take(self, callback: str, body: bytes, signature: str) -> Taken:
        """What a hub that pushes a document is answered. One that is not signed as it should be is taken and ignored (§7.1.2).

        So is one that was taken before: whoever listens on the way could send an old one again, to undo what came later.
        """
        hashed = digest(body)
        with self._office.desk.store.read() as tx:
            lease, is_replay = tx.leases.at(callback), tx.leases.is_taken(callback, hashed)
        if lease is None:
            return Taken(_UNKNOWN)
        if lease.state in (LeaseState.ENDED, LeaseState.LEAVING):
            return Taken(_ENDED)
        if not is_signed(signature, lease.secret, body):
            self._office.log("a push without a valid signature was ignored", source=lease.source)
            return Taken(_TAKEN)
        return Taken(_TAKEN, "" if is_replay else lease.source, hashed)

    def took(self, callback: str, taken: Taken) -> None:
        """Notes that what was pushed is in good hands: until then a hub that is told otherwise may send it again."""
        desk = self._office.desk
        with desk.store.write() as tx:
            tx.leases.take(callback, taken.hashed, desk.now())

    def _ask(self, lease: Lease) -> None:
        """Asks a hub for a lease, or to end one."""
        office = self._office
        mode: Mode = "unsubscribe" if lease.state is LeaseState.LEAVING else "subscribe"
        callback = f"{office.desk.config.site.base_url}{OWN_HUB}/{lease.callback}"
        wish = Wish(mode, lease.topic, callback, DEFAULT_S, lease.secret)
        try:
            office.messenger().tell_hub(lease.hub, subscription_form(wish))
        except FetchError as error:
            with office.desk.store.write() as tx:
                if tx.leases.at(lease.callback) == lease:  # it was not confirmed meanwhile
                    tx.leases.put([refused(lease, office.desk.now(), office.random)])
            office.log("a hub could not be asked", mode=mode, source=lease.source, error=why(error))


_UNKNOWN = Answer(404, "There is no such subscription.")
_ENDED = Answer(410, "This subscription has ended.")
_TAKEN = Answer(202)


def _minted() -> str:
    """What nobody can guess: 256 bits."""
    return secrets.token_urlsafe(32)


def wanted_of(config: Config, hubs: Mapping[str, tuple[str, str]]) -> Wanted:
    """The hub and topic of each source whose news can be pushed to us, by its name.

    Not those of which pages are fetched for their full text: a push never makes us fetch. Nor our own documents.
    """
    base_url = config.site.base_url
    if not config.websub.subscribe:
        return {}
    wanted = {}
    for source in config.sources:
        if isinstance(source, FeedSource | RsshubSource) and not source.fulltext and source.name in hubs:
            hub, topic = hubs[source.name]
            if reaches(hub, base_url, allow_private=config.fetch.allow_private) and not topic.startswith(base_url):
                wanted[source.name] = (hub, topic)
    return wanted


def reaches(hub: str, base_url: str, *, allow_private: bool) -> bool:
    """Whether a hub can be asked, and can reach us at `base_url`: it is public, or both are private and may be asked.

    >>> reaches("https://hub.example.com/", "https://feeds.example.com/", allow_private=False)
    True
    >>> reaches("https://hub.example.com/", "http://localhost:8000/", allow_private=True)
    False
    """
    if _is_nearby(hub):
        return allow_private
    return not _is_nearby(base_url)


def _is_nearby(url: str) -> bool:
    """Whether a host is known only on its own machine or network, by its name alone."""
    host = host_of(url).lower()
    return is_private_host(host) or host.endswith(_LOCAL) or not ("." in host or ":" in host)
