"""Image proxies: every family that is known, and what is left alone."""

import base64
import csv
import dataclasses
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.images.proxies import BUILT_IN, Proxy, ProxyTable, Unwrapped

ZFOUR = "https://cors.zfour.workers.dev/?"
TABLE = ProxyTable()


def b64(url: str) -> str:
    return base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


A = "https://img.example/a/b.jpg"
Q = "https://img.example/a.png?x=1&y=%E6%B3%A8"
FAMILIES = [
    (
        "zfour-worker",
        f"{ZFOUR}http://img.example/a~tplv-k:4536:0:0:0.awebp?",
        "http://img.example/a~tplv-k:4536:0:0:0.awebp?",
    ),
    (
        "zfour-worker",
        f"{ZFOUR}http://img.example:8002/%E6%B3%A8.png?x=1&y=2#z",
        "http://img.example:8002/%E6%B3%A8.png?x=1&y=2#z",
    ),
    ("zfour-worker", f"{ZFOUR}{quote(Q, safe='')}", Q),
    ("worker-url=", f"https://a.b.workers.dev/?url={quote(Q, safe='')}", Q),
    ("worker-url=", f"https://a.b.workers.dev/?url={Q}", Q),
    ("worker-path", f"https://a.workers.dev/{Q}", Q),
    ("worker-query", f"https://a.workers.dev/?{A}", A),
    ("weserv", "https://images.weserv.nl/?url=img.example/a.png&w=110", "https://img.example/a.png"),
    ("weserv", f"https://images.weserv.nl/?w=9&url={quote(Q, safe='')}&output=webp", Q),
    ("weserv", "https://images.weserv.nl/?url=https://img.example/a.png?x=1&q=2&we", "https://img.example/a.png?x=1"),
    ("weserv-ssl", "https://images.weserv.nl/?url=ssl:img.example/a.png&h=1", "https://img.example/a.png"),
    ("wsrv", "//wsrv.nl/?url=img.example/a.png", None),
    ("wsrv", "https://WSRV.nl/?url=//img.example/a.png", "https://img.example/a.png"),
    ("wp-photon", "https://i2.wp.com/img.example/a.png?w=7&ssl=1", "https://img.example/a.png"),
    ("wp-photon", "http://i0.wp.com/img.example/a.png?ssl=0&w=1", "http://img.example/a.png"),
    ("wp-photon", "https://i0.wp.com/latex.php?latex=x", None),
    ("camo", f"https://camo.githubusercontent.com/{'0a' * 20}/{A.encode().hex()}#gh-dark", A),
    ("camo", f"https://user-content.gitlab-static.net/{'0a' * 20}/{A.encode().hex()}", A),
    ("camo", f"https://camo.githubusercontent.com/{'0a' * 20}/abc", None),
    ("inoreader", f"https://www.inoreader.com/camo/x-_Y,b64/{b64(A)}", A),
    ("miniflux", f"https://rss.example/base/proxy/ZGlnZXN0/{base64.urlsafe_b64encode(A.encode()).decode()}", A),
    ("imgproxy-plain", f"https://ip.example/sig/rs:fit:300:300/g:no/plain/{quote(A, safe='')}@webp", A),
    ("imgproxy-base64", f"https://ip.example/sig/w:300/{b64(A)[:16]}/{b64(A)[16:]}.png", A),
    ("thumbor", f"https://t.example/unsafe/0x0/smart/filters:fill(red):watermark(http://w.example/w.png)/{A}", A),
    ("thumbor", f"https://t.example/{'a' * 27}=/300x/{quote(A, safe='')}", A),
    ("cloudinary-fetch", f"https://res.cloudinary.com/demo/image/fetch/s--ab--/f_auto,w_8/{A}", A),
    ("cloudinary-fetch", f"https://res.cloudinary.com/demo/image/fetch/{quote(Q, safe='')}", Q),
    ("substack", f"https://substackcdn.com/image/fetch/$s_!a!,w_1456,c_limit/{quote(A, safe='')}", A),
    ("duckduckgo", f"https://external-content.duckduckgo.com/iu/?u={quote(A, safe='')}&f=1&nofb=1", A),
    (
        "google-gadget",
        f"https://x-opensocial.googleusercontent.com/gadgets/proxy?url={Q}&container=focus&resize_w=6",
        Q,
    ),
    ("corsproxy.io", f"https://corsproxy.io/?url={quote(Q, safe='')}&key=1", Q),
    ("corsproxy.io-bare", f"https://corsproxy.io?{quote(Q, safe='')}", Q),
    ("allorigins", f"https://api.allorigins.win/get?url={quote(A, safe='')}&callback=f", A),
    ("codetabs", f"https://api.codetabs.com/v1/proxy/?quest={A}", A),
    ("thingproxy", f"https://thingproxy.freeboard.io/fetch/{Q}", Q),
    ("cors-anywhere", f"https://my.proxy.example/{Q}", Q),
    ("cors-anywhere", "https://my.proxy.example:8080/https:/img.example/folded.png", "https://img.example/folded.png"),
    (
        "statically",
        "https://cdn.statically.io/img/img.example/f=auto,w=400/a/b.png?quality=1",
        "https://img.example/a/b.png",
    ),
    ("xuehua", f"https://pic2.xuehuaimg.com/proxy/csdn/{A}", A),
    ("xuehua", "https://pic1.xuehuaimg.com/proxy/img.example/a.png", "https://img.example/a.png"),
    ("pimg", f"https://imageproxy.pimg.tw/resize?url={A}", A),
    ("imagekit-own", "https://ik.imagekit.io/tr:w-17/me/a.png", "https://ik.imagekit.io/me/a.png"),
    ("imagekit-own", "https://ik.imagekit.io/me/tr:w-17/a.png", "https://ik.imagekit.io/me/a.png"),
    ("imagekit-web", f"https://ik.imagekit.io/me/tr:w-17/{A}", A),
    ("pocket", f"https://pocket-image-cache.com/1x/filters:no_upscale()/{quote(A, safe='')}", A),
    ("baidu-src", f"https://gimg2.baidu.com/image_search/src={quote(A, safe='')}&refer=http%3A%2F%2Fe.example", A),
    ("baidu-down", f"https://image.baidu.com/search/down?tn=1&url={A}", A),
    ("naver", f"https://search.pstatic.net/common/?src={quote(A, safe='')}&type=b150", A),
    ("noobzone", f"https://img.noobzone.ru/getimg.php?url={quote(A, safe='')}", A),
    ("next-image", f"https://shop.example/_next/image?url={quote(A, safe='')}&w=64&q=75", A),
    ("opaque", "https://encrypted-tbn0.gstatic.com/images?q=tbn:ANd9GcRFR8", None),
    ("opaque", "https://lh3.googleusercontent.com/proxy/esjjzRYoXlhg", None),
]


@pytest.mark.parametrize(("name", "url", "origin"), FAMILIES)
def test_a_proxied_url_unwraps_to_its_origin(name, url, origin):
    expected = Unwrapped(url, ()) if origin is None else Unwrapped(origin, (name,))
    assert TABLE.unwrap(url) == expected


MET = (Path(__file__).parent / "data/image-proxies.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", list(csv.DictReader(MET.splitlines())), ids=lambda row: row["proxy"])
def test_every_proxy_that_was_met_gives_its_origin(row):
    """URLs as they stood in posts; where there is no origin, it is not in the URL."""
    assert TABLE.unwrap(row["url"]).origin == (row["origin"] or row["url"])


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://img.example/a.jpg",
            "/relative.png",
            "data:image/gif;base64,R0lG",
            "mailto:x",
            "",
            "https://",
            "http:///",
        ),
        "https://web.archive.org/web/2020im_/https://img.example/a.png",
        "https://e.example/share?url=https%3A%2F%2Fimg.example%2Fa.png",
        "https://e.example/GoToLink?url=https://img.example/a.png",
        "https://e.example/proxy/a/b.png",
        "https://e.example/img/plain/a.png",
        "https://shop.example/_next/image?url=%2Flogo.png&w=64",
        "https://i0.wp.com/",
        "https://e.example/" + "http" * 5000,
    ],
)
def test_what_is_no_proxy_is_left_verbatim(url):
    assert TABLE.unwrap(url) == Unwrapped(url, ())


@pytest.mark.parametrize(
    "held",
    [
        *(
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://e.example/a",
            "file:///etc/passwd",
            "",
            "x",
            "//",
            "http://",
        ),
        *("http://localhost/a", "http://a.localhost/x", "http://127.0.0.1/a", "http://127.1/a", "http://10.0.0.1:80/a"),
        *(
            "http://169.254.169.254/latest",
            "http://192.168.0.1",
            "http://172.31.0.1/",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
        ),
        *(
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://1.2.3/",
            "http://[::1]/",
            "http://[::]/a",
        ),
        *(
            "http://u@127.0.0.1/",
            "http://u:p@img.example/a",
            "http://１２７.0.0.1/",
            "http://127。0.0.1/",
            "http://a b.example/",
        ),
        *(
            "http://printer.local/a",
            "http://metadata.google.internal/",
            "http://e.example:port/",
            "http://%31.example/",
        ),
    ],
)
def test_h9_a_proxy_that_holds_nothing_to_trust_is_left_as_it_was(held):
    for url in (ZFOUR + held, ZFOUR + quote(held, safe=""), f"https://wsrv.nl/?url={quote(held, safe='')}"):
        assert TABLE.unwrap(url) == Unwrapped(url, ())


def test_h9_a_proxy_of_itself_unwraps_to_what_is_innermost():
    assert TABLE.unwrap(ZFOUR + ZFOUR) == Unwrapped(ZFOUR, ("zfour-worker",))


def test_nested_proxies_are_unwrapped_three_deep_outermost_first():
    url = f"{ZFOUR}https://images.weserv.nl/?url={quote('https://i0.wp.com/img.example/a.png?ssl=1', safe='')}"
    assert TABLE.unwrap(url) == Unwrapped("https://img.example/a.png", ("zfour-worker", "weserv", "wp-photon"))


@pytest.mark.parametrize("levels", [4, 5, 100])
def test_h9_more_than_three_levels_are_left_as_they_were(levels):
    url = ZFOUR * levels + "http://img.example/a.png"
    assert TABLE.unwrap(url) == Unwrapped(url, ())


def test_what_is_unwrapped_is_a_url_that_can_be_published():
    url = ZFOUR + quote('https://img.example/注 "1".png', safe="")
    assert TABLE.unwrap(url).origin == "https://img.example/%E6%B3%A8%20%221%22.png"


def test_a_public_address_is_an_origin_too():
    assert TABLE.unwrap(f"{ZFOUR}http://8.8.8.8:81/a.png").origin == "http://8.8.8.8:81/a.png"


def test_a_users_row_says_what_a_built_in_row_can():
    row = Proxy(
        "mine", ("img[0-9].mine.example",), path=r"/p/([^/]+)", decode="base64", value=r"v1\|(.+)", prefix="https://"
    )
    table = ProxyTable((row, *BUILT_IN))
    assert table.unwrap(f"https://img7.mine.example/p/{b64('v1|img.example/a.png')}") == (
        "https://img.example/a.png",
        ("mine",),
    )
    assert table.unwrap(f"{ZFOUR}{A}").origin == A


def test_without_rows_nothing_is_unwrapped():
    assert ProxyTable(()).unwrap(ZFOUR + A) == Unwrapped(ZFOUR + A, ())


def test_every_built_in_row_works_and_has_a_name_of_its_own():
    for row in BUILT_IN:
        row.compiled()
    assert len({row.name for row in BUILT_IN}) == len(BUILT_IN)
    assert {name for name, *_ in FAMILIES} >= {row.name for row in BUILT_IN} - {"camo-url="}


def test_every_field_of_a_row_is_explained():
    assert all(f"        {field.name}: " in (Proxy.__doc__ or "") for field in dataclasses.fields(Proxy))


PIECES = [ZFOUR, "https://wsrv.nl/?url=", "https://i0.wp.com/", "https://corsproxy.io/?", "http://", "https%3A%2F%2F", "img.example/", "a.png", "?x=1", "&w=2", "%25", "/plain/", "/unsafe/", "tr:x/", "@png", "#f", " ", "注", "ssl:", "https://ik.imagekit.io/"]  # fmt: skip


@settings(derandomize=True, max_examples=500)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_unwrapping_twice_is_unwrapping_once(url):
    once = TABLE.unwrap(url).origin
    assert TABLE.unwrap(once) == Unwrapped(once, ())
