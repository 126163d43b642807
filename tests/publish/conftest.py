"""Builders of posts, a feed and a site that have everything a document can say."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aggregator.models import Category, Enclosure, Feed, Media, Origin, Person, Post
from aggregator.publish.site import Site

Builder = Callable[..., Post]


def build_post(**fields: Any) -> Post:
    given: dict[str, Any] = {
        "source": "news",
        "key": fields.get("guid", "1"),
        "guid": "https://example.com/1",
        "title": "A title",
        "content": "<p>Some content.</p>",
        "published": datetime(2021, 7, 4, 6, 56, 6, tzinfo=UTC),
    }
    return Post(**{**given, **fields})


def build_rich_posts() -> tuple[Post, ...]:
    """Chinese, many authors, no title, no link, two enclosures, media, source, rights, another language, markup in text."""
    day = datetime(2021, 7, 4, 6, 56, 6, tzinfo=UTC)
    return (
        build_post(
            guid="https://example.com/金山/1",
            link="https://example.com/金山/1?a=1&b=2",
            title="加装电梯、修建健身步道…金山这个居民区一大波实事项目暖人心",
            content='<p><img src="https://img.example.com/a.jpeg">“年纪大了下楼梯还好，上楼很费劲。”</p><p>a &lt;b&gt; &amp; c</p>',
            summary="<p>小区里很多<b>腿脚不便</b>的老人。</p>",
            published=day,
            updated=day.replace(day=5),
            language="zh-CN",
            rights="© 2021 趣头条",
            image="https://img.example.com/封面.jpeg",
            categories=(Category(("新媒体", "趣头条", "分类")), Category(("编程", "CI/CD"))),
            tags=("电梯", "R&D"),
            authors=(Person("趣头条", "news@example.com", "https://example.com/"), Person("梅向阳"), Person(email="a@example.com")),
            enclosures=(
                Enclosure("https://img.example.com/talk.mp3", "audio/mpeg", 123456, "The talk"),
                Enclosure("https://img.example.com/talk.pdf", "", None, "The slides"),
                Enclosure("https://img.example.com/talk.mp4", "video/mp4", 99),
            ),
            media=(
                Media("https://img.example.com/talk.mp4", "content", "video/mp4", "video", 1280, 720),
                Media("https://img.example.com/t.jpg", "thumbnail", width=80, height=60),
            ),
            origin=Origin("趣头条", "https://user:secret@example.com/feed.xml", "https://example.com/"),
        ),
        build_post(
            guid="tag:example.com,2021:2",
            title="",
            content="<p>No title, and no link, but <em>words</em> enough to make a headline that has to be cut somewhere.</p>",
            published=day.replace(hour=5),
        ),
        build_post(
            guid="https://example.com/3",
            link="https://example.com/3",
            title="The <b>bold</b> tag, AT&amp;T, Q&A1, 1 < 2 & R&D",
            content="<p>text</p>",
            summary="",
            language="en",
            rights="<b>none</b>",
            tags=("<i>x</i>",),
            authors=(Person("Tom & Jerry"),),
            origin=Origin("Tom &amp; Jerry", "", "https://example.com/"),
            image="https://img.example.com/t.jpg",
            media=(Media("https://img.example.com/t.jpg", "thumbnail", width=80, height=60),),
            published=day.replace(hour=4),
        ),
        build_post(guid="urn:uuid:60a76c80-d399-11d9-b93c-0003939e0af6", content="", summary="<p>only a summary</p>", published=day.replace(hour=3)),
        build_post(guid="https://example.com/5", link="https://example.com/5", content="", title="Nothing but a title", published=day.replace(hour=2)),
        build_post(guid="https://example.com/6", link="https://example.com/6", content="", title="", published=day.replace(hour=1)),
    )  # fmt: skip


@pytest.fixture
def make_post() -> Builder:
    return build_post


@pytest.fixture
def rich_posts() -> tuple[Post, ...]:
    return build_rich_posts()


@pytest.fixture
def feed() -> Feed:
    return Feed(
        slug="category/新媒体",
        directory="category/新媒体",
        title="新媒体 & <more>",
        description="Posts of 新媒体",
        categories=(Category(("新媒体",)),),
    )


@pytest.fixture
def site() -> Site:
    return Site(
        title="My planet", base_url="https://feeds.example.com/", language="zh-CN", generator="aggregator", timezone="Asia/Shanghai"
    )  # fmt: skip


@pytest.fixture
def golden() -> Callable[[Path, bytes], None]:
    """Holds bytes against a golden file; `UPDATE_GOLDEN=1` writes it, for a person to read before it is committed."""

    def check(path: Path, body: bytes) -> None:
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
        assert body.decode() == path.read_text(encoding="utf-8")

    return check
