from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from lxml import html

from aggregator.models import Category, Enclosure
from aggregator.publish.facts import link_of
from aggregator.publish.permalinks import post_directory
from aggregator.publish.postpage import post_page
from aggregator.publish.view import View

DATA = Path(__file__).parent / "data"
DIRECTORIES = {"新媒体/趣头条/分类": "category/新媒体/趣头条/分类"}


def tree(*arguments):
    return html.fromstring(post_page(*arguments).body)


def test_a_page_is_what_the_golden_file_says(golden, rich_posts, site):
    document = post_page(rich_posts[0], DIRECTORIES, site)
    assert document.path == f"{post_directory(rich_posts[0].id)}/index.html"
    golden(DATA / "post.html", document.body)


def test_the_origin_is_canonical_where_there_is_one(rich_posts, site):
    linked, unlinked = rich_posts[:2]
    assert tree(linked, {}, site).xpath("//link[@rel='canonical']/@href") == [link_of(linked, site)]
    assert tree(linked, {}, site).xpath("//p[@class='origin']/a/@href") == [link_of(linked, site)]
    own = tree(unlinked, {}, site)
    assert own.xpath("//link[@rel='canonical']/@href") == [f"https://feeds.example.com/{post_directory(unlinked.id)}/"]
    assert own.xpath("//p[@class='origin']") == []


def test_categories_lead_to_their_feeds_where_they_have_one(rich_posts, site):
    found = tree(rich_posts[0], DIRECTORIES, site)
    href = "../../category/%E6%96%B0%E5%AA%92%E4%BD%93/%E8%B6%A3%E5%A4%B4%E6%9D%A1/%E5%88%86%E7%B1%BB/index.html"
    assert found.xpath("//a[@rel='tag']/@href") == [href]
    assert found.xpath("//ul[@class='links']/li/span/text()") == ["编程 / CI/CD"]
    served = tree(rich_posts[0], DIRECTORIES, site, View("en", is_served=True))
    assert served.xpath("//a[@rel='tag']/@href") == [href.removesuffix("index.html")]


def test_the_content_is_shown_as_it_is_and_every_other_text_as_text(make_post, site):
    evil = "<script>alert(1)</script>"
    post = make_post(title=evil, tags=(evil,), rights=evil, content="<p>clean <em>content</em></p>", link=None)
    body = post_page(post, {}, site).body.decode()
    assert '<div class="content"><p>clean <em>content</em></p></div>' in body
    assert "<script" not in body


def test_a_post_without_content_shows_its_summary_else_its_title(make_post, site):
    assert "<p>only</p>" in post_page(make_post(content="", summary="<p>only</p>"), {}, site).body.decode()
    bare = tree(make_post(content="", summary="", title="a <b>"), {}, site)
    assert bare.xpath("//div[@class='content']/text()") == ["a <b>"]


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_sound_and_films_can_be_played(make_post, site, kind):
    file = Enclosure("https://example.com/a.bin?x", f"{kind}/x", 1_500_000, "")
    found = tree(make_post(enclosures=(file,)), {}, site)
    assert found.xpath(f"//{kind}/@src") == [file.url]
    assert found.xpath(f"//{kind}/@preload") == ["none"]
    assert found.xpath("//ul[@class='files']/li/a/text()") == ["a.bin"]
    assert found.xpath("//ul[@class='files']/li/span/text()") == [f"{kind}/x, 1.5 MB"]


def test_h3_a_file_that_would_run_is_not_there(make_post, site):
    post = make_post(enclosures=(Enclosure("javascript:alert(1)"), Enclosure("data:text/html,x")))
    assert tree(post, {}, site).xpath("//section") == []


def test_a_lead_image_that_stands_in_the_content_is_shown_once(make_post, site):
    image = "https://img.example.com/a.jpg"
    assert len(tree(make_post(image=image), {}, site).xpath("//img")) == 1
    assert len(tree(make_post(image=image, content=f'<img src="{image}">'), {}, site).xpath("//img")) == 1


def test_what_a_page_may_load_is_pictures_and_media_and_frames_that_were_allowed(rich_posts, site):
    (policy,) = tree(rich_posts[0], {}, site).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith(
        "default-src 'none'; img-src http: https: data:; media-src http: https:; frame-src https:; "
    )
    assert "script-src" not in policy


def test_the_same_post_gives_the_same_bytes_whatever_its_categories_became(rich_posts, site):
    assert post_page(rich_posts[0], DIRECTORIES, site) == post_page(
        dataclasses.replace(rich_posts[0]), dict(DIRECTORIES), site
    )


def test_the_root_category_is_not_named(make_post, site):
    assert tree(make_post(categories=(Category(()),)), {}, site).xpath("//ul[@class='links']/li") == []
