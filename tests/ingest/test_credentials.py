"""Credentials go to one origin, and show nowhere."""

import base64
import pickle
import re
import time
from dataclasses import FrozenInstanceError
from urllib.parse import quote, quote_plus

import pytest

from aggregator.ingest.credentials import NO_CREDENTIALS, NOWHERE, Credentials, origin_of, userinfo_of, within_url

URL = "https://example.com/feed"
FULL = Credentials.for_url(
    URL,
    user="me",
    password="pa55 w&rd/",
    headers={"X-Api-Key": "k3y-in-header", "Authorization": "Bearer b3arer-t0ken", "Accept": "application/json"},
    cookies={"session": "c00kie-value"},
    query={"key": "qu3ry=val+ue", "format": "published", "page": "2"},
)
BASIC = base64.b64encode(b"me:pa55 w&rd/").decode()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.com/feed", ("https", "example.com", 443)),
        (" HTTP://User:Pw@EXAMPLE.com./x#y", ("http", "example.com", 80)),
        ("http://example.com:8080", ("http", "example.com", 8080)),
        ("http://bücher.example/", ("http", "xn--bcher-kva.example", 80)),
        ("https://[2001:DB8::1]:444/", ("https", "2001:db8::1", 444)),
        ("ftp://example.com/", NOWHERE),
        ("file:///etc/passwd", NOWHERE),
        ("http://", NOWHERE),
        ("http://[::1", NOWHERE),
        ("http://x:99999/", NOWHERE),
        ("http://\u2488example.com/", NOWHERE),
        ("nonsense", NOWHERE),
    ],
)
def test_the_origin_of_a_url(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("own", "other", "covered"),
    [
        ("https://a.example/x", "https://A.example.:443/y", True),
        ("http://a.example/x", "https://a.example/y", True),  # the site turned to https
        ("https://a.example/x", "http://a.example/y", False),
        ("http://a.example:8080/x", "https://a.example/y", False),
        ("http://a.example/x", "https://a.example:8443/y", False),
        ("http://a.example/x", "http://b.a.example/y", False),
        ("http://a.example/x", "http://a.example:81/y", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_f16_credentials_cover_their_own_origin_and_its_turn_to_https(own, other, covered):
    assert Credentials.for_url(own, user="u").covers(origin_of(other)) is covered


def test_no_credentials_cover_nothing_and_hide_nothing():
    assert not NO_CREDENTIALS.covers(origin_of(URL))
    assert not NO_CREDENTIALS.covers(NOWHERE)
    assert NO_CREDENTIALS.secrets() == ()
    assert NO_CREDENTIALS.redact("text") == "text"
    assert NO_CREDENTIALS.redact_bytes(b"text") == b"text"
    assert NO_CREDENTIALS.authorization() == ""
    assert NO_CREDENTIALS.asked_url(URL) == NO_CREDENTIALS.unasked_url(URL) == URL


def test_f16_a_repr_shows_nothing_and_nothing_can_be_changed():
    shown = f"{FULL!r} {FULL}"
    assert shown == "Credentials(***) Credentials(***)"
    with pytest.raises(FrozenInstanceError):
        FULL.user = "x"
    assert pickle.loads(pickle.dumps(FULL)) == FULL


def test_user_and_password_may_stand_in_the_url():
    assert userinfo_of("https://m%40e:p%3Aw@example.com/") == ("m@e", "p:w")
    assert userinfo_of(URL) == userinfo_of("http://[") == ("", "")
    assert Credentials.for_url("https://a:b@example.com/").authorization() == "Basic YTpi"
    assert Credentials.for_url("https://a:b@example.com/", user="c", password="d").authorization() == "Basic Yzpk"


def test_passwords_are_sent_in_utf_8():
    encoded = Credentials.for_url(URL, user="é", password="密码").authorization().partition(" ")[2]
    assert base64.b64decode(encoded).decode() == "é:密码"


def test_parameters_are_added_to_the_query_and_taken_out_again():
    asked = FULL.asked_url("https://example.com/feed?a=b#top")
    assert asked == "https://example.com/feed?a=b&key=qu3ry%3Dval%2Bue&format=published&page=2"
    assert FULL.unasked_url(asked) == "https://example.com/feed?a=b"
    assert FULL.asked_url(URL).startswith(f"{URL}?key=")
    assert FULL.unasked_url(f"{URL}?page=3&key=qu3ry%3dval%2bue") == f"{URL}?page=3"


def spellings(secret):
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
        quote(quote(secret, safe=""), safe=""),
        "".join(f"%{byte:02X}" for byte in secret.encode()),
        secret.replace("&", "&amp;").replace("<", "&lt;"),
        secret.replace("&", "\\u0026").replace("/", "\\/"),
    ]


@pytest.mark.parametrize(
    "secret",
    ["pa55 w&rd/", "k3y-in-header", "Bearer b3arer-t0ken", "b3arer-t0ken", "c00kie-value", "qu3ry=val+ue", BASIC],
)
def test_f16_every_secret_is_hidden_in_every_spelling(secret):
    assert secret in FULL.secrets()
    for spelled in spellings(secret):
        assert FULL.redact(f"say <{spelled}> again") == "say <***> again"
        assert FULL.redact_bytes(f"say <{spelled}> 是".encode()) == "say <***> 是".encode()


def test_f16_a_secret_in_chinese_is_hidden_too():
    secret = Credentials.for_url(URL, password="密码密码")
    assert secret.redact(f"密码密码 {quote('密码密码')} \\u5bc6\\u7801\\u5bc6\\u7801") == "*** *** ***"


def test_f16_a_short_secret_is_hidden_where_it_stands_alone():
    secret = Credentials.for_url(URL, query={"key": "abc"})
    assert secret.redact("abc abcd ?key=abc& 'abc' cab") == "*** abcd ?key=***& '***' cab"
    assert secret.redact_bytes(b"abc") == b"abc"


def test_f16_a_user_without_a_password_is_a_key():
    assert Credentials.for_url(URL, user="k3y-as-user").redact("x k3y-as-user") == "x ***"


def test_plain_words_with_harmless_names_stay_in_what_is_read():
    body = b'{"content-type": "application/json", "state": "published", "page": 2}'
    assert FULL.redact_bytes(body) == body
    assert FULL.redact_answer("application/json; published") == "application/json; published"
    assert FULL.redact("published") == "***"
    named = Credentials.for_url(URL, query={"api_key": "sesame"})
    assert named.redact_bytes(b"open sesame") == b"open ***"


def test_f16_what_stands_in_a_url_in_secret_is_known():
    known = within_url("https://me:pa55word@example.com/?feed_token=t0k3n&page=1234&code=1")
    assert known.redact("pa55word t0k3n 1234 1") == "*** *** 1234 1"
    assert within_url("http://[") == Credentials()


def test_hiding_takes_linear_time():
    secret = Credentials.for_url(URL, password="%25" * 8 + "aaaaaaaa", headers={"X-Key": "a" * 40})
    body = b"%2525252525" * 40_000 + b"a" * 100_000
    started = time.perf_counter()
    secret.redact_bytes(body)
    assert time.perf_counter() - started < 2
