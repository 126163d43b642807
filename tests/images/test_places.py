from __future__ import annotations

import pytest

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
