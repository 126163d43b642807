"""A source's posts as they are stored: what the configuration makes of images and of what leads elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from aggregator.config.images import Images
from aggregator.config.models import Fetch, Site
from aggregator.config.sources import FeedSource, FrontMatterSource
from aggregator.models import Draft, Enclosure, Media, Post
from aggregator.normalize.identity import identify
from aggregator.pipeline.normalizing import normalizer
from aggregator.pipeline.rules import rules_digest

ZFOUR = "https://cors.zfour.workers.dev/?"
PICTURE = "https://img.example/a.jpg"
SITE = Site.model_validate({"base_url": "https://feeds.example.com/"})


def a_source(**keys: Any) -> FeedSource:
    return FeedSource.model_validate({"name": "blog", "type": "feed", "url": "https://blog.example/feed", **keys})


def stored(draft: Draft, source: Any = None, *, fetch: Any = None, **images: Any) -> Post:
    """The post that the store would keep of a draft."""
    (identity,) = identify([draft])
    assert identity is not None
    normalize = normalizer(SITE, source or a_source(), Images.model_validate(images), Fetch.model_validate(fetch or {}))
    return normalize(draft, identity, datetime(2024, 5, 1, tzinfo=UTC)).post


def shown(markup: str, source: Any = None, **keys: Any) -> str:
    return stored(Draft(link="https://blog.example/p/", content=markup), source, **keys).content


@pytest.mark.parametrize(
    "image",
    [
        '<img src="https://t.example/p?id=1" width="1" height="1">',
        '<img src="https://t.example/p?id=1" style="width:1px;height:1px">',
        '<img src="https://pixel.wp.com/b.gif?host=blog.example">',
        '<img src="https://i0.wp.com/pixel.wp.com/b.gif?host=blog.example">',
        f'<img src="{ZFOUR}https://hm.baidu.com/hm.gif?si=1">',
        '<img data-src="https://medium.com/_/stat?event=post.clientViewed" class="lazy">',
        '<noscript><img src="https://www.facebook.com/tr?id=1&amp;ev=PageView"></noscript>',
        '<a href="http://feeds.feedburner.com/~ff/b?a=1"><img src="http://feeds.feedburner.com/~ff/b?d=1" border="0"></a>',
        '<img src="https://forum.example/ucp.php?mode=logout">',
    ],
)
def test_h7_a_tracker_is_removed_and_leads_no_post(image):
    post = stored(Draft(link="https://blog.example/p/", content=f'<p>a</p>{image}<p><img src="{PICTURE}"></p>'))
    assert post.content == f'<p>a</p><p><img src="{PICTURE}"></p>'
    assert post.image == PICTURE


def test_h7_trackers_can_be_named_in_the_configuration():
    assert shown('x<img src="https://a.count.example/x.jpg">', trackers=["*.count.example"]) == "x"


def test_placeholders_can_be_named_in_the_configuration_and_lead_no_post():
    waiting = "https://cdn.example/img/wait7.png"
    draft = Draft(
        image=waiting,
        content=f'<img src="{waiting}"><img src="{waiting}" data-src="{PICTURE}">',
        media=(Media(waiting, "thumbnail"),),
        enclosures=(Enclosure(waiting, "image/png"),),
    )
    assert stored(draft).image == waiting
    post = stored(draft, placeholders="cdn.example/img/wait*")
    assert post.image == PICTURE
    assert post.content == f'<img src="{waiting}"><img src="{PICTURE}">'


INSIDE = (
    '<p><a href="http://10.0.0.1/">x</a><img src="http://10.0.0.1/a.png" srcset="http://10.0.0.1/b.png 2x">'
    '<video src="http://10.0.0.1/a.mp4" poster="http://10.0.0.1/a.png" controls=""></video></p>'
)


def test_h8_nothing_leads_into_a_private_network_unless_the_source_may_be_asked_there():
    assert shown(INSIDE) == "<p>x</p>"
    assert shown(INSIDE, a_source(allow_private=True)) == INSIDE
    assert shown(INSIDE, fetch={"allow_private": True}) == INSIDE
    assert shown(INSIDE, a_source(allow_private=False), fetch={"allow_private": True}) == "<p>x</p>"


def test_h8_files_whose_own_links_are_private_may_show_what_is(tmp_path):
    folder = {"name": "files", "type": "front-matter", "path": tmp_path}
    assert shown(INSIDE, FrontMatterSource.model_validate(folder)) == "<p>x</p>"
    local = FrontMatterSource.model_validate({**folder, "link": "http://localhost:4000/{name}"})
    assert shown(INSIDE, local) == INSIDE


def test_what_may_lead_into_a_private_network_is_made_anew_when_that_changes():
    of = [rules_digest(SITE, source, Images.model_validate({}), Fetch.model_validate({"allow_private": fetch}))
          for fetch in (False, True) for source in (a_source(), a_source(allow_private=True))]  # fmt: skip
    assert of[0] != of[1] == of[2] == of[3]


@pytest.mark.parametrize(
    "held", ["javascript:alert(1)", "http://127.0.0.1/a.png", "http://localhost/", "", ZFOUR * 100 + PICTURE]
)
def test_h9_a_proxy_that_holds_nothing_to_trust_is_left_as_it_was(held):
    for url in (ZFOUR + held, f"https://wsrv.nl/?url={quote(held, safe='')}"):
        assert shown(f'<img src="{url}">') == f'<img src="{url}">'


def test_three_proxies_around_each_other_give_the_origin():
    inner = f"https://i0.wp.com/{PICTURE.removeprefix('https://')}?ssl=1"
    assert shown(f'<img src="{ZFOUR}https://wsrv.nl/?url={quote(inner, safe="")}">') == f'<img src="{PICTURE}">'


@pytest.mark.parametrize(
    "markup",
    [
        f"<pre>wget {ZFOUR}{PICTURE} <code>{ZFOUR}http://127.0.0.1/</code></pre>",
        '<p><a href="https://e.example/GoToLink?url=https%3A%2F%2Fx.example%2Fa.png&amp;utm_source=a">x</a></p>',
        f'<p><a href="{ZFOUR}{PICTURE}">x</a></p>',
    ],
)
def test_h10_code_and_link_redirectors_are_untouched(markup):
    assert shown(markup) == markup
