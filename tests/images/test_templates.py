from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.images.proxies import ProxyTable
from aggregator.images.templates import Template
from aggregator.normalize.urls import resolve

KEY, SALT = "943b421c9eb07c83", "520f986b998545b4"

# Everything that stands in the guide, and what has no scheme, no query, or an end behind the origin.
WHOLE = [
    Template("https://wsrv.nl/?url={href:q}"),
    Template("https://wsrv.nl/?url={href:q}&w=1200&output=webp"),
    Template("https://example.com/cdn-cgi/image/width=1200,format=auto/{href}"),
    Template("https://cors.example.com/?{href}"),
    Template("https://rss.example.com/proxy/{miniflux}/{b64:padded}", key=KEY),
    Template("https://proxy.example.com/{b64:padded}"),
    Template("https://camo.example.com/{camo}/{hex}", key=KEY),
    Template("https://imgproxy.example.com/{imgproxy}/rs:fit:1200:0/{b64}", key=KEY, salt=SALT),
    Template("https://imgproxy.example.com/{imgproxy}/plain/{href:q}@webp", key=KEY, salt=SALT),
    Template("https://thumbor.example.com/{thumbor}/1200x0/smart/{href:q}", key=KEY),
    Template("https://thumbor.example.com/unsafe/1200x0/{href:q}"),
]
PARTIAL = [
    Template("https://i0.wp.com/{host}{path}?ssl=1"),
    Template("https://cdn.example.com/{scheme}/{host}{path}?{query}"),
    Template("https://cdn.example.com/{host}{path}?q={query}&s={scheme}"),
]
ALL = [*WHOLE, *PARTIAL]

_text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
_hosts = st.sampled_from(["e.example", "bücher.example", "e.example:8080", "1.2.3.4", "xn--bcher-kva.example"])
urls = st.builds(
    lambda scheme, host, path, query: resolve(f"{scheme}://{host}/{path}{query}"),
    st.sampled_from(["http", "https"]),
    _hosts,
    _text,
    st.one_of(
        st.just(""), st.just("?"), _text.map("?{}".format), _text.map("#{}".format), _text.map("?a=b&{}#x".format)
    ),
)


@given(urls, st.sampled_from(WHOLE))
def test_what_holds_all_of_an_origin_wraps_every_one_and_gives_it_back(origin, template):
    wrapped = template.wrap(origin)
    assert wrapped is not None
    assert template.unwrap(wrapped) == origin
    assert resolve(wrapped) == wrapped  # a URL as it stands


@given(urls, st.sampled_from(PARTIAL))
def test_what_holds_parts_of_an_origin_gives_it_back_or_does_not_take_it(origin, template):
    wrapped = template.wrap(origin)
    assert wrapped is None or template.unwrap(wrapped) == origin


@given(_text, st.sampled_from(ALL))
def test_what_is_no_such_url_is_left_alone(text, template):
    found = template.unwrap(text)
    assert found is None or found.startswith(("http://", "https://"))


def test_parts_that_are_missing_send_an_origin_on_to_the_next_rule():
    photon = Template("https://i0.wp.com/{host}{path}?ssl=1")
    assert photon.wrap("https://e.example/a.jpg") == "https://i0.wp.com/e.example/a.jpg?ssl=1"
    assert photon.wrap("http://e.example/a.jpg") is None
    assert photon.wrap("https://e.example/a.jpg?x=1") is None


def test_what_only_looks_like_a_host_is_none():
    template = Template("https://img.example.com/{host}{path}")
    assert template.unwrap("https://img.example.com/2024/01/a.jpg") is None
    assert template.unwrap("https://img.example.com/e.example/a.jpg") == "https://e.example/a.jpg"


def test_credentials_are_given_to_nobody():
    for template in ALL:
        assert template.wrap("https://user:secret@e.example/a.jpg") is None


def test_a_fragment_stays_at_the_end_because_servers_are_not_sent_any():
    assert WHOLE[0].wrap("https://e.example/a.svg#icon") == "https://wsrv.nl/?url=https%3A%2F%2Fe.example%2Fa.svg#icon"


def test_what_is_too_long_for_any_server_is_not_wrapped():
    assert WHOLE[0].wrap("https://e.example/" + "a" * 8200) is None


def test_signatures_are_those_that_the_proxies_check():
    url = "https://e.example/a.jpg"
    camo = hmac.new(KEY.encode(), url.encode(), hashlib.sha1).hexdigest()
    assert WHOLE[6].wrap(url) == f"https://camo.example.com/{camo}/{url.encode().hex()}"
    miniflux = urlsafe_b64encode(hmac.new(KEY.encode(), url.encode(), hashlib.sha256).digest()).decode()
    assert WHOLE[4].wrap(url) == f"https://rss.example.com/proxy/{miniflux}/{urlsafe_b64encode(url.encode()).decode()}"


def imgproxy(path: str) -> str:
    """https://docs.imgproxy.net/usage/signing_url, with the key `secret` and the salt `hello` as there."""
    signed = hmac.new(b"secret", b"hello" + path.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


def test_imgproxy_takes_our_signature():
    example = "/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png"
    assert imgproxy(example) == "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8"
    template = Template("http://i.example/{imgproxy}/g:sm/{b64}.png", key=b"secret".hex(), salt=b"hello".hex())
    path = "/g:sm/aHR0cDovL2V4YW1wbGUuY29tL2ltYWdlcy9jdXJpb3NpdHkuanBn.png"
    assert template.wrap("http://example.com/images/curiosity.jpg") == f"http://i.example/{imgproxy(path)}{path}"


def test_thumbor_takes_our_signature():
    """Over what follows the signature and its slash: https://thumbor.readthedocs.io/en/latest/security.html."""
    template = Template("http://t.example.com/{thumbor}/300x200/{href}", key="my-security-key")
    path = "300x200/http://my.server.com/some/path/to/image.jpg"
    signature = urlsafe_b64encode(hmac.new(b"my-security-key", path.encode(), hashlib.sha1).digest()).decode()
    wrapped = template.wrap("http://my.server.com/some/path/to/image.jpg")
    assert wrapped == f"http://t.example.com/{signature}/{path}"


@pytest.mark.parametrize("template", [*WHOLE[:6], *WHOLE[6:8], *WHOLE[9:]], ids=lambda template: template.text)
def test_what_we_wrap_is_unwrapped_by_others_of_us_too(template):
    """A planet that reads our feed takes off the proxies that it knows, whose signature it cannot check."""
    origin = "https://static.example.org/a/b.jpg"
    wrapped = template.wrap(origin)
    found = ProxyTable().unwrap(wrapped).origin
    assert found in {origin, wrapped}
