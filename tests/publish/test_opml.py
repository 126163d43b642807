import dataclasses
from pathlib import Path

from lxml import etree

from aggregator.models import Category, Feed
from aggregator.publish import opml

DATA = Path(__file__).parent / "data"


def category_feed(*names):
    category = Category(names)
    return Feed(
        slug=f"category/{category.path}",
        directory="category/" + "/".join(names),
        title=category.path,
        categories=(category,),
    )


def feeds():
    return [
        Feed(slug="all", directory="all", title="Everything", description="All & more"),
        Feed(
            slug="docker",
            directory="docker",
            title="Docker",
            categories=(Category(("编程", "Dockone")),),
            formats=("json",),
        ),
        category_feed("新媒体"),
        category_feed("新媒体", "趣头条"),
        category_feed("编程", "Dockone"),
    ]


def test_the_list_is_what_the_golden_file_says(golden, site):
    document = opml.render(feeds(), site)
    assert (document.path, document.media_type) == ("feeds.opml", "text/x-opml; charset=utf-8")
    golden(DATA / "feeds.opml", document.body)


def test_a_category_with_others_below_it_is_a_folder_with_its_own_feed_first(site):
    root = etree.fromstring(opml.render(feeds(), site).body)
    folder = root.find("body/outline[@text='新媒体']")
    assert folder.get("xmlUrl") is None
    assert [outline.get("text") for outline in folder] == ["新媒体", "新媒体/趣头条"]


def test_a_feed_is_subscribed_to_in_its_first_format(site):
    root = etree.fromstring(opml.render(feeds(), site).body)
    assert root.find("body/outline[@text='Docker']").get("xmlUrl") == "https://feeds.example.com/docker/feed.json"


def test_no_feeds_are_a_valid_list(site):
    assert len(etree.fromstring(opml.render([], site).body).findall("body/outline")) == 1


def test_p10_control_characters_break_no_list(site):
    feed = dataclasses.replace(feeds()[0], title="a\x00b")
    assert etree.fromstring(opml.render([feed], site).body).find("body/outline").get("text") == "ab"
