from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest

from aggregator.push.leases import DEFAULT_S
from aggregator.push.messages import (
    Answer,
    Wish,
    link_header,
    publish_form,
    read_form,
    subscription_form,
    verification_url,
    wish_of,
)

FORM = {
    "hub.mode": "subscribe",
    "hub.topic": "https://feeds.example.com/all/rss.xml",
    "hub.callback": "https://reader.example/cb?id=1",
}


def test_a_form_says_what_is_wished():
    wish = wish_of({**FORM, "hub.lease_seconds": "7200", "hub.secret": "s", "hub.unknown": "ignored"})
    assert wish == Wish("subscribe", FORM["hub.topic"], FORM["hub.callback"], 7200, "s")
    assert wish_of(FORM) == Wish("subscribe", FORM["hub.topic"], FORM["hub.callback"], DEFAULT_S, "")


def test_what_we_ask_a_hub_for_is_what_a_hub_reads():
    wish = Wish("subscribe", "https://x.example/金山?a=1&b=2", "https://me.example/websub/abc", 60 * 60, "s+/=")
    assert wish_of(read_form(subscription_form(wish))) == wish
    end = Wish("unsubscribe", wish.topic, wish.callback)
    assert wish_of(read_form(subscription_form(end))) == end


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ({"hub.mode": ""}, 400, "hub.mode"),
        ({"hub.mode": "publish"}, 403, "by itself"),
        ({"hub.mode": "denied"}, 400, "hub.mode"),
        ({"hub.topic": ""}, 400, "hub.topic"),
        ({"hub.callback": ""}, 400, "missing"),
        ({"hub.callback": "ftp://x/"}, 400, "http: or https:"),
        ({"hub.callback": "https://"}, 400, "http: or https:"),
        ({"hub.callback": "https://x:99999/"}, 400, "http: or https:"),
        ({"hub.callback": "https://[::1/"}, 400, "http: or https:"),
        ({"hub.callback": "https://x/\r\nHost: y"}, 400, "http: or https:"),
        ({"hub.callback": "https://me:pw@x/"}, 400, "neither a user"),
        ({"hub.callback": "https://x/#a"}, 400, "neither a user"),
        ({"hub.callback": "https://x/" + "a" * 1000}, 400, "longer"),
        ({"hub.callback": "https://x/" + "新" * 331}, 400, "longer"),
        ({"hub.callback": "https://v%69ctim.example/"}, 400, "http: or https:"),
        ({"hub.callback": "https://vi\u00adctim.example/"}, 400, "http: or https:"),
        ({"hub.callback": f"https://{'ü' * 70}.example/"}, 400, "http: or https:"),
        ({"hub.secret": "ü" * 100}, 400, "200 bytes"),
        ({"hub.secret": "a\nb"}, 400, "200 bytes"),
        ({"hub.lease_seconds": "-1"}, 400, "whole number"),
        ({"hub.lease_seconds": "1e9"}, 400, "whole number"),
        ({"hub.lease_seconds": "¹"}, 400, "whole number"),
    ],
)
def test_s7_a_form_that_is_wrong_is_refused_in_words(wrong, status, words):
    answer = wish_of(FORM | wrong)
    assert isinstance(answer, Answer)
    assert answer.status == status
    assert words in answer.text


@pytest.mark.parametrize(
    ("spelled", "host"),
    [
        ("VICTIM.example.", "victim.example"),
        ("victim。example", "victim.example"),
        ("ｖｉｃｔｉｍ．example", "victim.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("[::1]", "::1"),
    ],
)
def test_s7_a_host_is_the_same_however_it_is_spelled(spelled, host):
    wish = wish_of(FORM | {"hub.callback": f"https://{spelled}:8443/x"})
    assert isinstance(wish, Wish)
    assert wish.host == host


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join(b"a=1" for _ in range(101))])
def test_s7_a_body_that_is_no_form_is_an_error(body):
    with pytest.raises(ValueError, match=r".+"):
        read_form(body)


def test_of_a_field_that_stands_twice_the_first_counts():
    assert read_form(b"hub.topic=a&hub.topic=b") == {"hub.topic": "a"}


@pytest.mark.parametrize(
    ("callback", "start"), [("https://r.example/cb", "https://r.example/cb?"), ("https://r.example/?a=1&b", "https://r.example/?a=1&b&")]
)  # fmt: skip
def test_a_callbacks_own_query_stays_in_front(callback, start):
    url = verification_url(Wish("subscribe", FORM["hub.topic"], callback, 3600), "c h")
    assert url.startswith(start)
    assert dict(parse_qsl(url.removeprefix(start))) == {
        "hub.mode": "subscribe",
        "hub.topic": FORM["hub.topic"],
        "hub.challenge": "c h",
        "hub.lease_seconds": "3600",
    }


def test_a_publisher_names_each_document_in_both_ways():
    said = parse_qs(publish_form(["https://a/", "https://b/"]).decode())
    assert said == {"hub.mode": ["publish"], "hub.url": ["https://a/", "https://b/"], "hub.topic": ["https://a/", "https://b/"]}  # fmt: skip


def test_a_link_header_names_hub_and_document():
    assert link_header("https://h/", "https://t/") == '<https://h/>; rel="hub", <https://t/>; rel="self"'


def test_a_form_in_another_order_is_the_same():
    assert wish_of(read_form(urlencode(dict(reversed(FORM.items()))).encode())) == wish_of(FORM)
