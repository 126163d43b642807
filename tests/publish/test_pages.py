import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import html

from aggregator.models import Category, Feed
from aggregator.publish import pages
from aggregator.publish.pages import Listed, Paging
from aggregator.publish.permalinks import post_directory
from aggregator.publish.view import View

NEWEST = datetime(2021, 7, 4, 23, tzinfo=UTC)
DATA = Path(__file__).parent / "data"


@pytest.fixture
def feeds(feed):
    below = Category(("新媒体", "CI/CD"))
    lost = Category(("编程", "Dockone"))
    return [
        Listed(Feed(slug="all", directory="all", title="Everything"), 5000, NEWEST),
        Listed(feed, 1, NEWEST),
        Listed(
            Feed(
                slug=f"category/{below.path}",
                directory="category/新媒体/CI-CD~008315e3",
                title=below.path,
                categories=(below,),
            ),
            2,
        ),
        Listed(
            Feed(
                slug=f"category/{lost.path}",
                directory="category/编程/Dockone",
                title=lost.path,
                categories=(lost,),
                formats=("json",),
            ),
            3,
        ),
    ]


def hrefs(document, path="//a/@href"):
    return html.fromstring(document.body).xpath(path)


def test_the_site_page_is_what_the_golden_file_says(golden, feeds, site):
    document = pages.site_page(feeds, site)
    assert (document.path, document.media_type) == ("index.html", "text/html; charset=utf-8")
    golden(DATA / "site.html", document.body)


def test_a_feed_page_is_what_the_golden_file_says(golden, feed, rich_posts, site):
    document = pages.feed_page(feed, rich_posts, site)
    assert document.path == "category/新媒体/index.html"
    golden(DATA / "feed.html", document.body)


def test_the_same_posts_give_the_same_bytes_again(feed, rich_posts, site):
    assert pages.feed_page(feed, rich_posts, site) == pages.feed_page(feed, rich_posts, site)


def test_links_to_our_own_documents_are_relative_and_lead_to_them(feeds, feed, site):
    found = hrefs(pages.site_page(feeds, site), "//a[not(ancestor::ul[@class='readers'])]/@href")
    assert "all/index.html" in found
    assert "category/%E6%96%B0%E5%AA%92%E4%BD%93/CI-CD~008315e3/atom.xml" in found
    assert not [href for href in found if ":" in href or href.startswith("/")]
    page = pages.feed_page(feed, [], site)
    assert hrefs(page, "//nav/a/@href") == ["../../index.html"]
    assert hrefs(page, "//link[@rel='alternate']/@href") == ["rss.xml", "atom.xml", "feed.json"]


def test_a_category_without_a_feed_is_named_but_leads_nowhere(feeds, site):
    page = html.fromstring(pages.site_page(feeds, site).body)
    assert page.xpath("//span[@class='name']/text()") == ["编程"]


def test_markup_in_any_text_is_only_text(make_post, feed, site):
    evil = '"><script>alert(1)</script>'
    post = make_post(title=evil, content=f"<p>{evil.replace('<', '&lt;')}</p>", summary="", language='en" onload="x')
    page = pages.feed_page(
        dataclasses.replace(feed, title=evil, description=evil),
        [post],
        dataclasses.replace(site, title=evil),
    )
    tree = html.fromstring(page.body)
    assert tree.xpath("//script") == []
    assert tree.xpath("//@onload") == []
    assert tree.xpath("//article/h2/a/text()") == [evil]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc"]
)
def test_h3_only_web_addresses_are_linked_and_shown(make_post, feed, site, url):
    post = make_post(link=url, image=url)
    page = pages.feed_page(feed, [post], site)
    assert hrefs(page, "//article//a/@href") == [f"../../{post_directory(post.id)}/index.html"]
    assert hrefs(page, "//img/@src") == []


def test_a_page_runs_no_script_and_asks_nobody_but_for_the_posts_pictures(feed, rich_posts, site):
    tree = html.fromstring(pages.feed_page(feed, rich_posts, site).body)
    assert tree.xpath("//script | //link[@rel='stylesheet'] | //iframe") == []
    assert all(src.startswith("https://img.example.com/") for src in tree.xpath("//@src"))
    assert "default-src 'none'" in tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]


def test_a_page_says_its_language_and_each_posts_where_it_differs(feed, rich_posts, site):
    tree = html.fromstring(pages.feed_page(feed, rich_posts, site).body)
    assert tree.get("lang") == "zh-CN"
    assert tree.xpath("//article/@lang") == ["en"]


def test_a_post_is_dated_in_the_sites_zone(feed, make_post, site):
    post = make_post(published=make_post().published.replace(hour=23))
    tree = html.fromstring(pages.feed_page(feed, [post], site).body)
    assert tree.xpath("//time/text()") == ["2021-07-05"]


def test_an_excerpt_is_the_beginning_and_not_the_whole(feed, make_post, site):
    tree = html.fromstring(pages.feed_page(feed, [make_post(content="<p>字</p>" * 1000)], site).body)
    assert len(tree.xpath("//p[@class='text']/text()")[0]) <= pages.EXCERPT + 1


def test_p10_control_characters_break_no_page(feed, make_post, site):
    page = pages.feed_page(feed, [make_post(title="a\x00b\ud800", tags=("\x1f",))], site)
    assert html.fromstring(page.body).xpath("//article/h2/a/text()") == ["ab"]


@pytest.mark.parametrize("name", ["site", "feed"])
def test_headings_and_landmarks_are_in_order(feeds, feed, rich_posts, site, name):
    page = pages.site_page(feeds, site) if name == "site" else pages.feed_page(feed, rich_posts, site)
    tree = html.fromstring(page.body)
    assert [len(tree.xpath(f"//{tag}")) for tag in ("h1", "header", "main", "footer")] == [1, 1, 1, 1]
    assert all(image.get("alt") is not None for image in tree.xpath("//img"))


def test_every_feed_can_be_subscribed_to_with_one_click(feeds, site):
    found = hrefs(pages.site_page(feeds, site), "//li[div/a='Everything']//details//a/@href")
    url = "https%3A%2F%2Ffeeds.example.com%2Fall%2Frss.xml"
    assert f"https://www.inoreader.com/?add_feed={url}" in found
    assert "feed:https://feeds.example.com/all/rss.xml" in found
    assert len(found) == 6


def test_a_long_list_leaves_one_click_links_to_the_feeds_pages(site):
    many = [Listed(Feed(slug=f"f{n}", directory=f"f{n}", title=f"F {n}"), 1) for n in range(pages.MAX_READERS + 1)]
    assert hrefs(pages.site_page(many, site), "//details") == []
    assert hrefs(pages.feed_page(many[0].feed, [], site), "//details//a/@href") != []


def test_the_list_says_when_a_feed_last_changed_in_the_sites_zone(feeds, site):
    page = html.fromstring(pages.site_page(feeds, site).body)
    assert page.xpath("//time/text()") == ["2021-07-05", "2021-07-05"]


def test_a_private_feed_is_not_listed(feed, site):
    private = dataclasses.replace(feed, slug="mine", directory="private/secret/mine", private=True)
    assert b"secret" not in pages.site_page([Listed(private, 1)], site).body
    assert b"noindex" in pages.feed_page(private, [], site).body


def test_a_server_links_directories_and_shows_search_and_status(feeds, feed, site):
    view = View("en", is_served=True, can_search=True, has_status=True)
    front = html.fromstring(pages.site_page(feeds, site, view).body)
    assert front.get("lang") == "en"
    assert front.xpath("//h1/@lang") == ["zh-CN"]
    assert front.xpath("//form/@action") == ["./search"]
    assert front.xpath("//footer/a/@href") == ["./status"]
    assert "all/" in front.xpath("//a/@href")
    page = html.fromstring(pages.feed_page(feed, [], site, view).body)
    assert page.xpath("//nav/a/@href") == ["../../"]
    assert page.xpath("//form/@action") == ["../../search"]


def test_a_served_post_has_a_page_of_its_own_beside_its_origin(feed, make_post, site):
    post = make_post(link="https://example.com/1")
    own = f"../../{post_directory(post.id)}/"
    served = pages.feed_page(feed, [post], site, View("en", is_served=True))
    assert hrefs(served, "//article//a/@href") == ["https://example.com/1", own]
    assert hrefs(pages.feed_page(feed, [post], site), "//article//a/@href") == ["https://example.com/1"]


def test_pages_of_a_feed_lead_to_each_other(feed, site):
    view = View("en", is_served=True)

    def leads(number):
        page = pages.feed_page(feed, [], site, view, Paging(number, 3))
        return [hrefs(page, f"//link[@rel='{rel}']/@href") for rel in ("prev", "next")]

    assert [leads(number) for number in (1, 2, 3)] == [
        [[], ["?page=2"]],
        [["./"], ["?page=3"]],
        [["?page=2"], []],
    ]
