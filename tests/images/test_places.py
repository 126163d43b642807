from __future__ import annotations

from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.images.places import image_urls, with_images


def put(url: str) -> str | None:
    if "gone" in url:
        return None
    return url.replace("https://o.example/", "https://p.example/?") if url.startswith("https://o.example/") else url


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>no image</p>", "<p>no image</p>"),
        ('<p><img src="https://o.example/a.jpg" alt="x"></p>', '<p><img src="https://p.example/?a.jpg" alt="x"></p>'),
        (
            '<img src="https://o.example/a.jpg?x=1&amp;y=2" alt="&quot;&amp;">',
            '<img src="https://p.example/?a.jpg?x=1&amp;y=2" alt="&quot;&amp;">',
        ),
        ("<img src='https://o.example/a.jpg' title='say \"hi\"'>", '<img src="https://p.example/?a.jpg" title="say &quot;hi&quot;">'),
        (
            '<img src="https://o.example/a.jpg" srcset="https://o.example/a,1.jpg 1x, https://o.example/b.jpg 2x" sizes="9vw">',
            '<img src="https://p.example/?a.jpg" srcset="https://p.example/?a,1.jpg 1x, https://p.example/?b.jpg 2x" sizes="9vw">',
        ),
        (
            '<picture><source srcset="https://o.example/a.webp"><img src="https://o.example/a.jpg"></picture>',
            '<picture><source srcset="https://p.example/?a.webp"><img src="https://p.example/?a.jpg"></picture>',
        ),
        (
            '<video src="https://o.example/a.mp4" poster="https://o.example/a.jpg" controls=""></video>',
            '<video src="https://o.example/a.mp4" poster="https://p.example/?a.jpg" controls=""></video>',
        ),
        ('<video controls=""><source src="https://o.example/a.mp4"></video>',) * 2,
        (
            '<a href="https://o.example/large.png"><img src="https://o.example/a.jpg"></a>',
            '<a href="https://p.example/?large.png"><img src="https://p.example/?a.jpg"></a>',
        ),
        (
            '<a href="https://o.example/image?id=7"><img src="https://o.example/image?id=7"></a>',
            '<a href="https://p.example/?image?id=7"><img src="https://p.example/?image?id=7"></a>',
        ),
        (
            '<a href="https://o.example/post/"><img src="https://o.example/a.jpg"></a><a href="https://o.example/b.jpg">b</a>',
            '<a href="https://o.example/post/"><img src="https://p.example/?a.jpg"></a><a href="https://o.example/b.jpg">b</a>',
        ),
        ('<pre>&lt;img src="https://o.example/a.jpg"&gt;</pre>',) * 2,
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt="x">',) * 2,
        # None: what shows nothing any more goes with it
        ('<p>a<img src="https://o.example/gone.jpg">b</p>', "<p>ab</p>"),
        ('<p>a<a href="https://e.example/"><img src="https://o.example/gone.jpg"></a>b</p>', "<p>ab</p>"),
        ('<a href="https://e.example/">x<img src="https://o.example/gone.jpg"></a>', '<a href="https://e.example/">x</a>'),
        ('<p><picture><source srcset="https://o.example/a.webp"><img src="https://o.example/gone.jpg"></picture>b</p>', "<p>b</p>"),
        # A picture is no place for a text, and yet there may be one: it stays
        (
            '<picture>text <b>bold<img src="https://o.example/gone.jpg"></b></picture>',
            "text <b>bold</b>",
        ),
        (
            '<picture><a href="https://e.example/"><img src="https://o.example/gone.jpg"><img src="https://e.example/2"></a></picture>',
            '<picture><a href="https://e.example/"><img src="https://e.example/2"></a></picture>',
        ),
        ('<picture><picture><img src="https://e.example/a.jpg"></picture><img src="https://e.example/b.jpg"></picture>',) * 2,
        (
            '<picture><source srcset="https://o.example/gone.webp"><img src="https://o.example/a.jpg"></picture>',
            '<picture><img src="https://p.example/?a.jpg"></picture>',
        ),
        (
            '<img src="https://e.example/a.jpg" srcset="https://o.example/gone.jpg 2x" sizes="9vw">',
            '<img src="https://e.example/a.jpg">',
        ),
        ('<video src="https://e.example/a.mp4" poster="https://o.example/gone.jpg"></video>', '<video src="https://e.example/a.mp4"></video>'),
    ],
)  # fmt: skip
def test_an_image_goes_where_it_is_published_and_nothing_else_changes(html, expected):
    assert with_images(html, put) == expected


def test_nothing_is_written_anew_where_nothing_changes():
    html = "<p><img src='https://e.example/a.jpg' alt=\"x\"><a href='https://e.example/b.jpg'><img src='https://e.example/b.jpg'></a></p>"
    assert with_images(html, lambda url: url) == html


def test_the_images_of_a_text_are_found_where_they_are_put():
    html = (
        '<a href="https://o.example/large.png"><img src="https://o.example/a.jpg" srcset="https://o.example/b.jpg 2x"></a>'
        '<video poster="https://o.example/c.jpg" src="https://o.example/d.mp4"></video>'
    )
    assert list(image_urls(html)) == [
        "https://o.example/a.jpg",
        "https://o.example/b.jpg",
        "https://o.example/large.png",
        "https://o.example/c.jpg",
    ]


_images = st.sampled_from(["https://o.example/gone.jpg", "https://o.example/a.jpg", "https://e.example/b.jpg"])
_leaves = st.one_of(
    st.text("ab <>&\"'", max_size=6).map(escape),
    _images.map('<img src="{}" alt="&gt;<img>">'.format),
    _images.map('<source srcset="{} 2x">'.format),
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag.partition(' ')[0]}>",
        st.sampled_from(["p", "b", "picture", 'a href="https://o.example/gone.png"', 'video poster="https://o.example/a.jpg"']),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)  # fmt: skip


class _Outline(HTMLParser):
    """What a text says, which tags it opens and closes but those that may go, and whether they are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.open, self.is_torn = "", [], False
        self.feed(html)
        self.close()
        self.is_torn |= bool(self.open)

    def handle_starttag(self, tag, _):
        if tag not in {"img", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.is_torn |= not self.open or self.open.pop() != tag

    def handle_data(self, data):
        self.text += data


@given(_trees)
def test_whatever_goes_nothing_is_torn_and_no_word_is_lost(html):
    shown = with_images(html, put)
    assert "gone" not in "".join(image_urls(shown)).replace("gone.png", "")
    assert not _Outline(shown).is_torn
    assert _Outline(shown).text.split() == _Outline(html).text.split()
    assert with_images(html, lambda url: url) == html
