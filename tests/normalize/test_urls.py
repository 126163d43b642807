"""URLs: what a source may write, and what may be published of it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aggregator.normalize.urls import (
    MAX_DATA_CHARS,
    is_private,
    leads_inside,
    outside,
    permalink_key,
    resolve,
    safe_image,
    safe_link,
    strip_tracking,
)

BASE = "https://blog.example/2024/05/post.html?x=1"
GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


@pytest.mark.parametrize(
    "url",
    [
        "http://p9-juejin.example/a~tplv-k:4536:0:0:0.awebp?",
        "https://e.example/%E6%B3%A8.png?a=%zz&b=%2f#f",
        "http://e.example:8002/a/../b;c=1",
        "https://E.example/Path",
        "https://e.example",
    ],
)
def test_a_valid_url_is_kept_verbatim(url):
    assert resolve(url, BASE) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("other.html", "https://blog.example/2024/05/other.html"),
        ("../a.png", "https://blog.example/2024/a.png"),
        ("/", "https://blog.example/"),
        ("?y=2", "https://blog.example/2024/05/post.html?y=2"),
        ("#note", "https://blog.example/2024/05/post.html?x=1#note"),
        ("a.awebp?", "https://blog.example/2024/05/a.awebp?"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("\\\\cdn.example\\x", "https://cdn.example/x"),
        ("/a\\b?c\\d", "https://blog.example/a/b?c%5Cd"),
        (" \n https://e.example/a b.jpg\t\u3000", "https://e.example/a%20b.jpg"),
        ("https://e.exam\nple/a", "https://e.example/a"),
        ("HTTPS:/e.example/x", "https://e.example/x"),
        ("http:///e.example/x", "http://e.example/x"),
        ("https://例え.example/注?q=注#注", "https://xn--r8jz45g.example/%E6%B3%A8?q=%E6%B3%A8#%E6%B3%A8"),
        ('https://e.example/{a}["b"]|c^`', "https://e.example/%7Ba%7D%5B%22b%22%5D%7Cc%5E%60"),
        ("http://[2606:4700::1111]:8080/x", "http://[2606:4700::1111]:8080/x"),
        ("https://e.example/\ud800", "https://e.example/%3F"),
    ],
)
def test_p13_a_url_becomes_absolute_as_a_browser_would_have_it(url, expected):
    assert resolve(url, BASE) == expected


@pytest.mark.parametrize("url", ["a.html", "/", "#x", "?y", ""])
def test_p13_a_relative_url_without_a_base_is_none(url):
    assert resolve(url, None) is None


@pytest.mark.parametrize(
    "url", ["", "http://", "http://[bad", "https:x", "http://a:port/", "http://a<b/", "//", "https://%31/"]
)
def test_a_url_without_a_host_is_none(url):
    assert resolve(url, None) is None


def test_a_broken_base_makes_nothing_absolute():
    assert resolve("x", "http://[bad/") is None
    assert resolve("x", "file:///etc/passwd") is None


JAVASCRIPT = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "java\nscr\ript:alert(1)",
    " \x01\x1f javascript:alert(1)",
    "\u00a0javascript:alert(1)",
    "vbscript:x",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "blob:https://e.example/1",
    "view-source:https://e.example",
]


@pytest.mark.parametrize("url", JAVASCRIPT)
def test_h3_no_spelling_of_a_dangerous_scheme_survives(url):
    assert resolve(url, BASE) is None
    assert safe_link(url, BASE) is None
    assert safe_image(url, BASE) is None


@pytest.mark.parametrize("url", ["mailto:a@e.example", "tel:+123", "magnet:?xt=urn:btih:1", "https://e.example/"])
def test_a_link_may_lead_to_what_is_no_page(url):
    assert safe_link(url) == url


def test_a_mail_link_is_a_uri_afterwards():
    assert safe_link(" mailto:a b@e.example\n") == "mailto:a%20b@e.example"


def test_h4_a_small_raster_data_uri_stays_for_images_alone():
    assert safe_image(GIF) == GIF
    assert safe_image(" data:image/PNG;base64,AA\nAA ") == "data:image/PNG;base64,AAAA"
    assert resolve(GIF) is None
    assert safe_link(GIF) is None


@pytest.mark.parametrize(
    "url",
    [
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "data:text/html;base64,AAAA",
        "data:image/png,<script>",
        "data:,x",
        "data:image/png;base64," + "A" * MAX_DATA_CHARS,
    ],
)
def test_h4_other_data_uris_are_none(url):
    assert safe_image(url, BASE) is None


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "printer.local", "a.localhost.", "metadata.google.internal", ""),
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("0x7f000001", "2130706433", "127.1", "0", "0177.0.0.1", "1.2.3.4.5", "999.1"),
        *("[::1]", "fe80::1", "[fe80::1%eth0]", "fd00::1", "[::ffff:127.0.0.1]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::]", "１２７.0.0.1", "127。0。0。1"),
    ],
)
def test_a_private_host_is_known_in_every_spelling(host):
    assert is_private(host)


@pytest.mark.parametrize(
    "host",
    ["e.example", "8.8.8.8", "10.e.example", "[2606:4700::1111]", "[64:ff9b::808:808]", "[2002:808:808::]", "1x.de"],
)
def test_a_public_host_is_not_private(host):
    assert not is_private(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://192.168.1.1:8443/reboot",
        "http://[::1]:80/x",
        "HTTP://LOCALHOST",
        "http://user:p@10.0.0.1/",
        "http://a@b@10.0.0.1/",
        "http://2130706433?x",
        "http://printer.local#x",
    ],
)
def test_h8_a_url_that_leads_into_a_private_network_is_known(url):
    assert leads_inside(url)
    assert outside(resolve)(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://e.example/10.0.0.1",
        "https://e.example/?u=http://127.0.0.1/",
        "http://127.0.0.1@e.example/",
        "https://8.8.8.8",
    ],
)
def test_h8_one_that_only_names_one_does_not(url):
    assert not leads_inside(url)
    assert outside(resolve)(url) == url
    assert not any(map(leads_inside, ("mailto:a@localhost", "/x", "", GIF)))


@pytest.mark.parametrize(
    "url",
    [
        "https://blog.example/a?id=1",
        "http://blog.example/a?id=1",
        "HTTP://BLOG.example:80/a?id=1#comments",
        "https://blog.example:443/a?utm_source=rss&id=1&utm_medium=feed&fbclid=x",
        " https://blog.example/a?spm=a.b&id=1&gclid=2 ",
    ],
)
def test_links_to_one_page_have_one_key(url):
    assert permalink_key(url) == "blog.example/a?id=1"


@pytest.mark.parametrize(
    "url",
    [
        *("https://www.blog.example/a?id=1", "https://blog.example/A?id=1", "https://blog.example/a?id=2"),
        *(
            "https://blog.example:8080/a?id=1",
            "https://blog.example/a?id=1#!/other",
            "https://blog.example/a?id=1#/other",
        ),
    ],
)
def test_links_to_other_pages_have_other_keys(url):
    assert permalink_key(url) != "blog.example/a?id=1"


def test_the_root_is_one_page_with_and_without_its_slash():
    assert permalink_key("https://e.example") == permalink_key("http://e.example/") == "e.example/"


def test_what_is_no_web_address_is_its_own_key():
    assert permalink_key(" urn:uuid:1 ") == "urn:uuid:1"


def test_h7_tracking_parameters_are_removed_and_the_rest_stays_verbatim():
    assert strip_tracking("https://e.example/a?b=%zz&utm_id=1&c&#x") == "https://e.example/a?b=%zz&c&#x"
    assert strip_tracking("https://e.example/a?utm_id=1&UTM_Source=2") == "https://e.example/a"
    assert strip_tracking("https://e.example/a?") == "https://e.example/a?"
    assert strip_tracking("https://e.example/a?reference=1&from=x") == "https://e.example/a?reference=1&from=x"


@pytest.mark.parametrize(
    "url",
    [
        "https://e.example/GoToLink?url=https%3A%2F%2Fx.example&utm_source=a",
        "https://e.example/r?to=http://x.example/?utm_source=a",
        "https://web.archive.example/web/2020/https://x.example/?utm_source=a",
    ],
)
def test_h10_a_url_that_holds_another_is_left_whole(url):
    assert strip_tracking(url) == url


@settings(derandomize=True, max_examples=300)
@given(st.text(max_size=40), st.sampled_from([None, BASE]))
@example("https://a.example/\x00\ud800#\u3000", None)
@example("http://ß.example/", None)
def test_resolving_never_raises_and_is_stable(text, base):
    url = resolve(text, base)
    assert url is None or (url.startswith(("http://", "https://")) and url.isascii() and resolve(url) == url)
    assert permalink_key(permalink_key(text)) == permalink_key(text) or url is None or "//" not in text


@pytest.mark.parametrize(
    "host", ["a\u2100b.example", "ex\uff0fample.com", "user\uff20e.example", "ex\uff1fample.com", "e\uff1a80.example"]
)
def test_a_host_that_is_mapped_to_more_than_a_host_is_none(host):
    assert resolve(f"https://{host}/x.jpg") is None
