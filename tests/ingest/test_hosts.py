"""How far a Retry-After reaches: one host, or the platform behind it."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.ingest import hosts
from aggregator.ingest.hosts import PLATFORMS, scope_of


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("one.substack.com", "substack.com"),
        ("www.substack.com", "substack.com"),
        ("substack.com", "substack.com"),
        ("One.SubStack.COM.", "substack.com"),
        ("one.substack.com:8443", "substack.com"),
        ("feeds2.feedburner.com", "feedburner.com"),
        ("someone.blog123.fc2.com", "fc2.com"),
        ("someone.hatenadiary.org", "hatenadiary.org"),
        ("someone.github.io", "github.io"),
        ("someone.wordpress.com", "wordpress.com"),
        ("a.b.c.d.e.f.tumblr.com", "tumblr.com"),
        ("someone.blogspot.com", "blogspot.com"),
        ("someone.blogspot.de", "blogspot.de"),
        ("www.someone.blogspot.co.uk", "blogspot.co.uk"),
        ("someone.blogspot.com.br", "blogspot.com.br"),
    ],
)
def test_f12_a_platform_of_many_blogs_is_one_scope(host, scope):
    assert scope_of(host) == scope


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "blog.example.com",
        "example.co.uk",
        "www.youtube.com",
        "youtube.com",
        "rssblog.ameba.jp",
        "notsubstack.com",
        "substack.com.example.org",
        "blogspot.example.com",
        "someone.blogspot.evil",
        "com",
        "localhost",
        "localhost:8080",
        "",
    ],
)
def test_f12_any_other_host_is_a_scope_of_its_own(host):
    assert scope_of(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "203.0.113.7",
        "::1",
        "[::1]",
        "[2001:db8::7]:8080",
        "::ffff:203.0.113.7",
        "2130706433",
    ],
)
def test_an_address_is_never_widened(host):
    assert scope_of(host) == host


@pytest.mark.parametrize(
    "host",
    ["one.workers.dev", "one.pages.dev", "one.vercel.app", "one.netlify.app", "one.herokuapp.com", "one.fly.dev"],
)
def test_a_tenant_who_answers_with_code_of_his_own_cannot_hold_up_the_others(host):
    assert scope_of(host) == host


def test_every_platform_is_a_domain_whose_apex_www_and_tenants_are_one():
    for domain in PLATFORMS:
        assert domain == domain.lower().strip(".")
        assert "." in domain
        assert {scope_of(domain), scope_of(f"www.{domain}"), scope_of(f"someone.{domain}")} == {domain}


@given(st.text() | st.from_regex(r"[a-z.:\[\]0-9]{0,300}", fullmatch=True))
def test_any_text_has_a_scope_which_is_its_own_scope(host):
    scope = scope_of(host)
    assert scope_of(scope) == scope


def test_the_examples_are_true():
    assert doctest.testmod(hosts).failed == 0
