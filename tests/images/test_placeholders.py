"""Placeholders: what a page shows until, or instead of, a real image."""

import pytest

from aggregator.images.placeholders import is_placeholder


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", "#", "about:blank", "undefined", "https://e.example/undefined", "https://e.example/x/null?v=1"),
        *("https://picsum.photos/400/300?random=7", "//fastly.picsum.photos/id/1/2", "https://via.placeholder.com/150"),
        *("http://placehold.it/10x10", "https://placehold.co/600x400", "https://dummyimage.com/1"),
        *("data:image/gif;base64,R0lGODlhAQABAAAAACw=", "data:image/svg+xml;utf8,<svg></svg>"),
        *("https://cdn.example/loadimg.gif", "/img/loading.svg", "/a/blank.gif?v=2", "spacer.gif", "/x/1x1.png"),
        *(
            "https://e.example/lazyload.png",
            "/grey.gif",
            "/transparent.png",
            "/img/img_loading.gif",
            "/placeholder-300x200.png",
        ),
    ],
)
def test_a_placeholder_is_known(url):
    assert is_placeholder(url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://e.example/1.jpg",
            "https://e.example/image1.jpg",
            "https://e.example/img_01.png",
            "/0.gif",
            "/10.webp",
        ),
        *("https://e.example/download.png", "https://e.example/loading-dock.jpg", "https://e.example/undefined/a.png"),
        *(
            "https://e.example/a?u=picsum.photos",
            "https://notpicsum.photos.example/a.png",
            "https://e.example/pixels.jpg",
        ),
        "data:image/png;base64," + "A" * 400,
    ],
)
def test_a_real_image_is_none(url):
    assert not is_placeholder(url)


def test_more_placeholders_can_be_named():
    assert is_placeholder("https://CDN.example/img/wait7.png?x", more=("cdn.example/img/wait*",))
    assert not is_placeholder("https://cdn.example/img/a.png", more=("cdn.example/img/wait*",))
