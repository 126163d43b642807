"""What answers say of images and of their hosts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aggregator.errors import AskedToWait, FetchError, HttpStatus, NotAnImage, Refused, TimedOut
from aggregator.pipeline.imaging.fetching import Picture
from aggregator.pipeline.imaging.verdicts import Found, Looked, Shown, by_host, may_pass, of_error, why_placeholder

URL = "https://img.example/a.jpg"


def status(number: int) -> HttpStatus:
    return HttpStatus("x", url=URL, status=number)


def looked(host: str, *found: Found, helps: bool = False, action: str = "link") -> list[Looked]:
    return [
        Looked(Shown(f"https://{host}/{n}", f"https://{host}/{n}", host, action), one, helps=helps)
        for n, one in enumerate(found)
    ]


def rules(*groups: list[Looked]) -> list[str]:
    return [report.rule for report in by_host(one for group in groups for one in group)]


@pytest.mark.parametrize(
    ("error", "found", "passes"),
    [
        (status(404), Found.DEAD, False),
        (status(410), Found.DEAD, False),
        (status(503), Found.DEAD, True),
        (TimedOut("x", url=URL), Found.DEAD, True),
        (FetchError("the host is not known", url=URL), Found.DEAD, True),
        (Refused("a private address", url=URL), Found.DEAD, False),
        (status(403), Found.BLOCKED, False),
        (status(401), Found.BLOCKED, False),
        (status(451), Found.BLOCKED, False),
        (NotAnImage("an HTML page", url=URL), Found.NO_IMAGE, False),
        (status(429), Found.NOT_ASKED, False),
        (AskedToWait("x", url=URL, until=datetime(2024, 1, 1, tzinfo=UTC)), Found.NOT_ASKED, False),
    ],
)
def test_an_error_says_what_an_image_is_and_whether_asking_again_may_help(error, found, passes):
    assert (of_error(error), may_pass(error)) == (found, passes)


def test_a_picture_of_nothing_is_a_placeholder():
    def why(url=URL, body=b"x" * 500, width=None, height=None, more=()):
        return why_placeholder(Picture(body, "image/png", "png", width, height), url, more)

    assert why(width=2, height=1) == "2×1 pixels"
    assert why(body=b"GIF") == "3 bytes"
    assert why("https://picsum.photos/9", width=400, height=300) == "a known placeholder"
    assert why(width=400, height=300, more=("img.example/*",)) == "a known placeholder"
    assert why(width=600, height=1) == why(width=3, height=3) == why() == ""


@pytest.mark.parametrize(
    ("group", "action"),
    [
        (looked("a.example", Found.DEAD, Found.DEAD), "drop"),
        (looked("a.example", Found.DEAD, Found.PLACEHOLDER, Found.NOT_ASKED), "drop"),
        (looked("a.example", Found.DEAD, Found.FINE), "mirror"),
        (looked("a.example", Found.UNSTEADY), "mirror"),
        (looked("a.example", Found.BLOCKED, Found.BLOCKED, helps=True), "proxy"),
        (looked("a.example", Found.BLOCKED, Found.FINE), ""),
        (looked("a.example", Found.INSECURE, Found.INSECURE), "proxy"),
        (looked("a.example", Found.FINE, Found.FINE), ""),
        (looked("a.example", Found.NOT_ASKED), ""),
        (looked("a.example", Found.DEAD, Found.FINE, action="mirror"), ""),
        (looked("a.example", Found.DEAD, action="proxy"), "drop"),
    ],
)
def test_the_rule_is_the_one_that_helps(group, action):
    assert rules(group) == [f'- {{hosts: ["a.example"], action: {action}}}' if action else ""]


def test_a_rule_is_for_all_hosts_of_a_family_with_the_same_trouble():
    sina = (looked("wx1.sinaimg.cn", Found.BLOCKED, helps=True), looked("tvax2.sinaimg.cn", Found.BLOCKED, helps=True))
    assert set(rules(*sina)) == {'- {hosts: ["*.sinaimg.cn"], action: proxy}'}
    assert rules(sina[0]) == ['- {hosts: ["*.sinaimg.cn"], action: proxy}']
    shards = (looked("img1.a.example", Found.DEAD), looked("img22.a.example", Found.DEAD))
    assert set(rules(*shards)) == {'- {hosts: ["img*.a.example"], action: drop}'}
    assert rules(*shards, looked("img3.a.example", Found.FINE)) == [
        '- {hosts: ["img1.a.example"], action: drop}',
        '- {hosts: ["img22.a.example"], action: drop}',
        "",
    ]
    assert set(rules(looked("127.0.0.2", Found.DEAD), looked("127.0.0.3", Found.DEAD))) == {
        '- {hosts: ["127.0.0.2"], action: drop}',
        '- {hosts: ["127.0.0.3"], action: drop}',
    }
