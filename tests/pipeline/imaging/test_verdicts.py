"""What answers say of images and of their hosts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aggregator.errors import AskedToWait, FetchError, HttpStatus, NotAnImage, Refused, TimedOut, TooLarge
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
        (Refused("a private address", url=URL), Found.REFUSED, False),
        (TooLarge("x", url=URL), Found.REFUSED, False),
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


def test_a_rule_is_for_the_hosts_that_were_found_or_that_are_known_to_want_the_same():
    sina = (looked("wx1.sinaimg.cn", Found.BLOCKED, helps=True), looked("tvax2.sinaimg.cn", Found.BLOCKED, helps=True))
    assert set(rules(*sina)) == {'- {hosts: ["*.sinaimg.cn"], action: proxy}'}
    assert rules(sina[0]) == ['- {hosts: ["*.sinaimg.cn"], action: proxy}']
    shards = (looked("img1.a.example", Found.DEAD), looked("img22.a.example", Found.DEAD))
    assert rules(*shards) == [f'- {{hosts: ["{name}.a.example"], action: drop}}' for name in ("img1", "img22")]
    assert rules(looked("wx1.sinaimg.cn", Found.DEAD)) == ['- {hosts: ["wx1.sinaimg.cn"], action: drop}']


def test_a_host_is_not_dropped_as_long_as_it_works_by_another_scheme_or_at_another_port():
    def at(place, found):
        return Looked(Shown(f"{place}/a", f"{place}/a", "a.example"), found)

    dead, fine = at("https://a.example", Found.DEAD), at("http://a.example:8080", Found.FINE)
    reports = by_host([dead, fine, at("https://a.example:443", Found.DEAD)])
    assert [(one.place, one.asked, one.rule) for one in reports] == [
        ("http://a.example:8080", 1, ""),
        ("https://a.example", 2, ""),
    ]
    assert {one.rule for one in by_host([dead, replace(fine, found=Found.NOT_ASKED)])} == {""}
    assert {one.rule for one in by_host([dead, replace(fine, found=Found.DEAD)])} == {
        '- {hosts: ["a.example"], action: drop}'
    }


def test_what_may_come_back_is_dropped_only_if_it_stays_away():
    away = [replace(one, is_away=True) for one in looked("a.example", Found.DEAD)]
    assert rules(away) == ['- {hosts: ["a.example"], action: drop}  # if it stays away']


@pytest.mark.parametrize(
    ("group", "action"),
    [
        (looked("a.example", Found.REFUSED), ""),
        (looked("a.example", Found.REFUSED, Found.DEAD), ""),
        ([replace(one, is_kept=True) for one in looked("a.example", Found.UNSTEADY)], ""),
        ([replace(looked("a.example", Found.UNSTEADY)[0], is_kept=True), *looked("a.example", Found.DEAD)], ""),
    ],
)
def test_what_nothing_is_known_of_or_is_kept_anyway_is_no_reason_for_a_rule(group, action):
    assert by_host(group)[0].action == action


def test_the_fault_of_a_wrapper_is_not_the_origins():
    wrapped = replace(looked("a.example", Found.DEAD)[0], at="https://wrap.example:8443")
    (report,) = by_host([wrapped])
    assert (report.host, report.place, report.rule) == ("wrap.example", "https://wrap.example:8443", "")
    assert rules([wrapped], looked("a.example", Found.FINE)) == ["", ""]


def test_a_rule_says_above_which_it_goes_and_is_not_named_where_there_is_one_already():
    def met(*found, rules):
        return [replace(one, shown=replace(one.shown, rules=rules)) for one in looked("a.example", *found)]

    rule = '- {hosts: ["a.example"], action: drop}  # above images.rules[2], which it would replace'
    some = met(Found.DEAD, rules=(("images.rules[10]", "link"),))
    assert rules(some + met(Found.DEAD, rules=(("images.rules[2]", "mirror"),))) == [rule]
    assert rules(met(Found.DEAD, Found.FINE, rules=(("images.rules[0]", "mirror"), ("images.rules[1]", "link")))) == [
        ""
    ]
