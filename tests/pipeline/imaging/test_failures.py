"""What is remembered of images that could not be had, and of their hosts."""

import doctest

import pytest

from aggregator.errors import FetchError, HttpStatus, NotAnImage, TimedOut
from aggregator.pipeline.imaging import failures as module
from aggregator.pipeline.imaging.failures import Failures, domain_of


@pytest.fixture
def clock():
    return [1_700_000_000.25]


@pytest.fixture
def failures(clock):
    return Failures(lambda: clock[0])


def test_the_examples_are_true():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.com", "example.com"),
        ("a.b.Example.COM.:443", "example.com"),
        ("me:pw@a.example.com", "example.com"),
        ("img.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("wx1.sinaimg.cn", "sinaimg.cn"),
        ("h1.ab.cn", "ab.cn"),
        ("localhost:8000", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("[", ""),
    ],
)
def test_hosts_belong_to_the_domain_that_somebody_registered(host, domain):
    assert domain_of(f"http://{host}/a.png") == domain


@pytest.mark.parametrize("silence", [TimedOut("slow", url=""), FetchError("refused", url="")])
def test_three_images_in_a_row_without_an_answer_are_enough_of_a_host(failures, clock, silence):
    for number in range(3):
        assert failures.find("http://a.example/new") is None
        failures.note(f"http://a.example/{number}", silence)
    assert failures.find("http://a.example/new") is not None
    assert failures.find("http://b.example/new") is None
    clock[0] += 121
    assert failures.find("http://a.example/new") is None
    failures.note("http://a.example/new", silence)
    assert failures.find("http://a.example/3") is not None


@pytest.mark.parametrize("answer", [NotAnImage("a page", url=""), HttpStatus("gone", url="", status=410, host="")])
def test_a_host_that_answers_between_is_not_silent(failures, answer):
    for number in range(6):
        failures.note(f"http://a.example/{number}", TimedOut("slow", url=""))
        failures.note(f"http://a.example/other{number}", answer)
        failures.note(f"http://b.example/{number}", TimedOut("slow", url=""))
        failures.forget("http://b.example/good")
    assert failures.find("http://a.example/new") is None
    assert failures.find("http://b.example/new") is None


def test_nothing_is_remembered_for_longer_than_a_day_when_the_clock_is_set_back(failures, clock):
    failures.note("http://a.example/", HttpStatus("gone", url="", status=410, host=""))
    assert failures.find("http://a.example/") is not None
    clock[0] -= 1
    assert failures.find("http://a.example/") is None
