"""What feeds say of how often they change, sense and nonsense."""

import time

import pytest

from aggregator.ingest.feed import parse_feed
from aggregator.ingest.feedhints import REACH, feed_hints
from aggregator.models import FeedHints

SY = "http://purl.org/rss/1.0/modules/syndication/"


def channel(head="", tail="", items="<item><title>x</title></item>", attributes=f'xmlns:sy="{SY}"'):
    return f'<rss version="2.0" {attributes}><channel><title>x</title>{head}{items}{tail}</channel></rss>'


def test_a_feed_that_says_nothing_gives_no_hints():
    assert feed_hints(channel()) == feed_hints("") == FeedHints()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("<ttl>60</ttl>", 3600),
        ("<ttl> 60 </ttl>", 3600),
        ("<TTL>60</TTL>", 3600),
        ("<ttl><![CDATA[60]]></ttl>", 3600),
        ("<ttl>60.0</ttl>", 3600),
        ("<ttl>1</ttl>", 60),
        ("<ttl>999999999</ttl>", 365 * 86_400),
        ("<ttl>0</ttl>", None),
        ("<ttl>-5</ttl>", None),
        ("<ttl/>", None),
        ("<ttl></ttl>", None),
        ("<ttl>an hour</ttl>", None),
        (f"<ttl>{'9' * 5000}</ttl>", None),
        ("<!-- <ttl>60</ttl> -->", None),
        ("<description><![CDATA[<ttl>60</ttl>]]></description>", None),
    ],
)
def test_ttl_is_in_minutes(written, seconds):
    assert feed_hints(channel(written)).every_s == seconds
    assert feed_hints(channel(tail=written)).every_s == seconds


@pytest.mark.parametrize(
    ("period", "times", "seconds"),
    [
        ("hourly", "1", 3600),
        ("hourly", "2", 1800),
        (" Daily\n", "4", 21_600),
        ("weekly", "", 604_800),
        ("monthly", "x", 30 * 86_400),
        ("yearly", "1", 365 * 86_400),
        ("hourly", "0", 3600),
        ("hourly", "-1", 3600),
        ("hourly", "999999999", 1),
        ("", "2", 43_200),
        ("", "", None),
        ("fortnightly", "1", None),
    ],
)
def test_a_syndication_period_is_divided_by_its_frequency(period, times, seconds):
    written = f"<sy:updatePeriod>{period}</sy:updatePeriod><sy:updateFrequency>{times}</sy:updateFrequency>"
    assert feed_hints(channel(written)).every_s == seconds
    assert feed_hints(channel(tail=written)).every_s == seconds


def test_the_syndication_module_is_known_by_its_namespace():
    written = "<s-1:updatePeriod>hourly</s-1:updatePeriod>"
    assert feed_hints(channel(written, attributes=f"xmlns:s-1='{SY}'")).every_s == 3600
    assert feed_hints(channel(written, attributes="xmlns:s-1='urn:other'")).every_s is None
    assert (
        feed_hints(channel(f"<p:updatePeriod xmlns:p='{SY}'>daily</p:updatePeriod>", attributes="")).every_s == 86_400
    )


def test_the_longer_of_ttl_and_period_counts():
    period = "<sy:updatePeriod>hourly</sy:updatePeriod>"
    assert feed_hints(channel(f"<ttl>5</ttl>{period}")).every_s == 3600
    assert feed_hints(channel(f"<ttl>90</ttl>{period}")).every_s == 5400


@pytest.mark.parametrize(
    ("hours", "read"),
    [
        (["0", "13", " 7 ", "7"], (0, 7, 13)),
        (["24", "1"], (0, 1)),
        (["25", "-1", "noon", "", "1e3"], ()),
        ([str(hour) for hour in range(24)], ()),
        ([str(hour) for hour in range(1, 24)], tuple(range(1, 24))),
    ],
)
def test_skip_hours_are_hours_of_the_day(hours, read):
    written = "<skipHours>" + "\n".join(f"<hour>{hour}</hour>" for hour in hours) + "</skipHours>"
    assert feed_hints(channel(written)).skip_hours == read
    assert feed_hints(channel(tail=written)).skip_hours == read


@pytest.mark.parametrize(
    ("days", "read"),
    [
        (["Saturday", "Sunday"], (5, 6)),
        (["Sat", "sunday", " MONDAY\n"], (0, 5, 6)),
        (["Someday", "", "7", "Samedi"], ()),
        (["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"], ()),
    ],
)
def test_skip_days_are_days_of_the_week(days, read):
    written = "<skipDays>" + "".join(f"<day>{day}</day>" for day in days) + "</skipDays>"
    assert feed_hints(channel(written)).skip_days == read


def test_an_hour_or_a_day_elsewhere_is_none_to_skip():
    assert feed_hints(channel("<skipDays/><hour>5</hour><day>Monday</day><skipHours></skipHours>")) == FeedHints()
    unclosed = feed_hints(channel("<skipHours><hour>5</hour>"))
    assert unclosed.skip_hours == (5,)


def test_items_give_no_hints():
    item = "<item><ttl>60</ttl><skipDays><day>Monday</day></skipDays><sy:updatePeriod>daily</sy:updatePeriod></item>"
    assert feed_hints(channel(items=item * 3)) == FeedHints()
    assert feed_hints(channel(items=item.replace("item>", "rss:item>"))) == FeedHints()


def test_hints_far_from_the_start_are_not_looked_for():
    assert feed_hints(channel(f"<x>{' ' * REACH}</x><ttl>60</ttl>")) == FeedHints()


def test_rss_1_says_it_in_its_channel():
    text = (
        f'<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:syn="{SY}"><channel><items/><syn:updatePeriod>weekly</syn:updatePeriod>'
        "</channel><item/></rdf:RDF>"
    )
    assert feed_hints(text).every_s == 604_800


@pytest.mark.parametrize("broken", [False, True])
def test_a_parsed_feed_brings_its_hints(broken):
    text = channel("<ttl>60</ttl>" + "<b>" * broken, "<skipDays><day>Monday</day></skipDays>")
    hints = FeedHints(every_s=3600, skip_days=(0,))
    assert parse_feed(text.encode(), url="https://example.com/").hints == hints
    assert parse_feed(channel("<ttl>60</ttl>", items="").encode(), url="https://example.com/").hints.every_s == 3600


def test_a_json_feed_has_none():
    body = b'{"version": "https://jsonfeed.org/version/1.1", "ttl": 60, "items": []}'
    assert parse_feed(body, url="https://example.com/").hints == FeedHints()


@pytest.mark.parametrize(
    "part",
    [
        "<ttl ",
        "<ttl>",
        "<skipHours>",
        "<hour>",
        "<!--",
        "<![CDATA[",
        "<sy:updatePeriod>",
        " xmlns:sy=",
        "<item",
        "</item",
        "<a:",
        "]]>",
        "<?",
    ],
)
def test_hostile_documents_are_looked_through_in_time(part):
    started = time.process_time()
    feed_hints(part * (2_000_000 // len(part)))
    feed_hints("<skipHours><skipDays><ttl><sy:updatePeriod>" + part * (2_000_000 // len(part)) + "<item/>")
    assert time.process_time() - started < 1
