"""A document in memory is answered the same way by the protocol and by the application, whatever is asked."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aggregator.serve.conditions import FIELDS, asked
from aggregator.serve.documents import Documents

BODY = b"<rss>" + b"<item>words</item>" * 200 + b"</rss>"

DATES = (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Fri, 01 Jan 2100 00:00:00 GMT", b"yesterday", b"")
CODINGS = (b"gzip", b"br", b"gzip, br;q=0.5", b"identity;q=0", b"*", b"deflate", b"")
RANGES = (
    b"bytes=0-0",
    b"bytes=5-",
    b"bytes=-5",
    b"bytes=9-2",
    b"bytes=0-1,3-4",
    b"bytes=x",
    b"items=1-2",
    b"bytes=999999-",
)
TAGS = (b"*", b'"other"', b"nonsense", b'W/"other", %b', b"%b", b"W/%b", b'"x",%b', b"")
CHOICES = {
    b"accept": (b"image/webp", b"*/*"),
    b"accept-encoding": CODINGS,
    b"if-match": TAGS,
    b"if-none-match": TAGS,
    b"if-modified-since": DATES,
    b"if-unmodified-since": DATES,
    b"if-range": TAGS + DATES,
    b"range": RANGES,
    b"a-im": (b"feed", b"vcdiff"),
    b"user-agent": (b"test",),
}


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def documents(place):
    made = Documents(place.daemon)
    yield made
    made.close()


header = st.sampled_from(sorted(CHOICES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(CHOICES[name])))
headers = st.lists(header, max_size=6, unique_by=lambda one: one[0])


def test_every_header_that_decides_is_tried():
    assert CHOICES.keys() >= FIELDS.keys()


def test_the_short_way_answers_as_the_long_way_does(loop, documents, place):
    """Held on some hundred combinations of headers; the short way may leave an answer to the other, but not change it."""
    place.publish("all/rss.xml", BODY)
    taken = []

    async def both(method, given_headers):
        long = await documents.answer(method, b"/all/rss.xml", given_headers)
        short = documents.hot(b"/all/rss.xml", asked(method, given_headers))
        return long, short

    whole = [loop.run(both(b"GET", [(b"accept-encoding", coding)]))[0] for coding in (b"", b"gzip", b"br")]
    etags = [answer.header(b"etag") for answer in whole]
    assert len(set(etags)) == 3

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @example(b"GET", [(b"range", b"bytes=5-")], etags[0])
    @example(b"GET", [(b"range", b"bytes=999999-"), (b"if-range", b"%b")], etags[0])
    @given(st.sampled_from([b"GET", b"HEAD"]), headers, st.sampled_from(etags))
    def hold(method, chosen, etag):
        given_headers = [(name, value.replace(b"%b", etag)) for name, value in chosen]
        long, short = loop.run(both(method, given_headers))
        if any(name == b"a-im" for name, _ in given_headers):
            assert short is None
        else:
            assert (short.status, short.headers, short.body) == (long.status, long.headers, long.body)
            assert short.wire == long.wire
            taken.append(short.status)

    hold()
    assert {200, 206, 304, 412, 416} <= set(taken)


@pytest.mark.parametrize("target", [b"/all/rss.xml?x=1", b"/all/", b"/all", b"/nothing", b"//all/rss.xml"])
def test_what_is_not_plainly_a_document_takes_the_long_way(loop, documents, place, target):
    place.publish("all/rss.xml", BODY)
    place.publish("all/index.html", BODY)

    async def ask():
        await documents.answer(b"GET", target.partition(b"?")[0], [])
        return documents.hot(target, asked(b"GET", []))

    assert loop.run(ask()) is None
