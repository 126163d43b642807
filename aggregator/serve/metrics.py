"""What Prometheus is told, from a registry of our own; no URL, no name of a source and no token is a label."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from aggregator.errors import StoreError
from aggregator.pipeline.results import FeedResult, SourceResult
from aggregator.serve.documents import Documents
from aggregator.serve.running import Running

Figures = Callable[[], Mapping[str, int]]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
_OUTCOMES = ("new", "unchanged", "not-modified", "waiting", "failed")


class Metrics:
    """Counts of requests, refreshes and documents since the start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        # Plain numbers: a counter of the library takes a lock and 1 µs, and each request needs four. By kind and status:
        # how many in each bucket, the sum of their seconds, and of their bytes.
        self._requests: dict[tuple[str, int], list[float]] = {}
        self._refreshes = Counter(
            "aggregator_refreshes", "Sources asked, by outcome.", ["outcome"], registry=self.registry
        )
        self._posts = Counter("aggregator_posts", "Posts found, by what they were.", ["what"], registry=self.registry)
        self._feeds = Counter("aggregator_feeds_regenerated", "Feeds rendered.", ["outcome"], registry=self.registry)
        self._documents = Counter(
            "aggregator_documents",
            "Documents rendered, by whether their bytes changed.",
            ["what"],
            registry=self.registry,
        )
        for outcome in _OUTCOMES:
            self._refreshes.labels(outcome)
        self.registry.register(_Collector(self._families))

    def source(self, result: SourceResult) -> None:
        """Counts the refresh of a source; from any thread."""
        self._refreshes.labels(result.outcome).inc()
        for what in ("new", "changed", "withdrawn"):
            self._posts.labels(what).inc(getattr(result, what))

    def feed(self, result: FeedResult) -> None:
        """Counts the regenerating of a feed; from any thread."""
        self._feeds.labels("failed" if result.error else "done").inc()
        self._documents.labels("written").inc(len(result.written))
        self._documents.labels("unchanged").inc(len(result.unchanged))

    def request(self, kind: str, status: int, size: int, seconds: float) -> None:
        """Counts a request that was answered; in the event loop's thread only."""
        numbers = self._requests.get((kind, status))
        if numbers is None:
            numbers = self._requests[kind, status] = [0.0] * (len(_BUCKETS_S) + 3)
        numbers[bisect_left(_BUCKETS_S, seconds)] += 1
        numbers[-2] += seconds
        numbers[-1] += size

    def watch(self, running: Running, documents: Documents, images: Figures | None = None) -> None:
        """Has what the daemon and its caches are like now told with each scrape; `images` gives their figures."""
        self.registry.register(_Collector(lambda: _state(running, documents)))
        if images is not None:
            self.registry.register(_Collector(lambda: _of_images(images())))

    def render(self) -> bytes:
        """Everything, in Prometheus' text format; it asks the store, so not in the event loop's thread."""
        return generate_latest(self.registry)

    def _families(self) -> Iterator[Any]:
        requests = CounterMetricFamily("aggregator_http_requests", "Requests answered.", labels=["kind", "status"])
        sent = CounterMetricFamily("aggregator_http_sent_bytes", "Bytes of bodies sent.", labels=["kind"])
        taken = HistogramMetricFamily("aggregator_http_request_seconds", "Seconds for a request.", labels=["kind"])
        sums: dict[str, list[float]] = {}
        for (kind, status), numbers in list(self._requests.items()):
            requests.add_metric([kind, str(status)], sum(numbers[:-2]))
            sums[kind] = [a + b for a, b in zip(sums.get(kind, [0.0] * len(numbers)), numbers, strict=True)]
        edges = [*map(str, _BUCKETS_S), "+Inf"]
        for kind, numbers in sums.items():
            sent.add_metric([kind], numbers[-1])
            taken.add_metric([kind], list(zip(edges, accumulate(numbers[:-2]), strict=True)), numbers[-2])
        yield from (requests, sent, taken)


class _Collector:
    """A function as prometheus_client wants it."""

    def __init__(self, families: Any) -> None:
        self._families = families

    def collect(self) -> Iterable[Any]:
        """What the function gives."""
        return self._families()  # type: ignore[no-any-return]

    def describe(self) -> Iterable[Any]:
        """Nothing: names are known when they are collected."""
        return ()


def _state(running: Running, documents: Documents) -> Iterator[Any]:
    health: Counts[str] = Counts({"well": 0, "failing": 0, "gone": 0, "never-asked": 0})
    try:
        with running.store.read() as tx:
            states = tx.sources.all()
    except StoreError:  # `/healthz` tells; the other numbers are still worth having
        states = {}
    for source in running.config.sources:
        state = states.get(source.name)
        if state is None or state.checked_at is None:
            health["never-asked"] += 1
        elif state.gone_at is not None:
            health["gone"] += 1
        else:
            health["failing" if state.error else "well"] += 1
    sources = GaugeMetricFamily("aggregator_sources", "Configured sources, by health.", labels=["health"])
    for word, count in health.items():
        sources.add_metric([word], count)
    yield sources
    queue = running.queue
    due, asking, ready = queue.due, queue.asking, running.is_ready
    yield GaugeMetricFamily("aggregator_sources_due", "Sources that are due and not being asked.", value=due)
    yield GaugeMetricFamily("aggregator_sources_asking", "Sources being asked now.", value=asking)
    yield GaugeMetricFamily("aggregator_ready", "1 once feeds were regenerated.", value=int(ready))
    shelf = documents.shelf
    yield GaugeMetricFamily("aggregator_cached_documents", "Documents in memory.", value=len(shelf))
    yield GaugeMetricFamily("aggregator_cached_bytes", "Bytes of documents in memory.", value=shelf.size)
    yield CounterMetricFamily("aggregator_documents_read", "Versions read from the disk.", value=shelf.reads)


def _of_images(figures: Mapping[str, int]) -> Iterator[Any]:
    yield GaugeMetricFamily("aggregator_cached_images", "Images on the disk.", value=figures["images_cached"])
    kept = figures["images_kb"] * 1000
    yield GaugeMetricFamily("aggregator_cached_image_bytes", "Bytes of images on the disk, to a KB.", value=kept)
    asked = CounterMetricFamily("aggregator_images_asked", "Images asked of their origins.", labels=["outcome"])
    for outcome in ("fetched", "failed"):
        asked.add_metric([outcome], figures[f"images_{outcome}"])
    yield asked
    lost = figures["images_not_written"]
    yield CounterMetricFamily("aggregator_images_not_written", "Images that the disk did not take.", value=lost)
