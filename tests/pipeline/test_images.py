"""What is published of the images of posts, from a folder of files to documents."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from builders import a_post

from aggregator.models import Enclosure, Media
from aggregator.pipeline.imagerules import image_rules
from aggregator.pipeline.images import PostImages, images_of

IMAGE = "https://wx1.sinaimg.cn/large/a.jpg"
OTHER = "https://o.example.com/b.png"
WESERV = {"wrap": "https://wsrv.nl/?url={href:q}"}
BODY = f'<p><img src="{IMAGE}"> and <a href="{OTHER}"><img src="{OTHER}"></a></p>'


def put(planet, post, *rules, feed=None, **images):
    planet.settings["images"] = {"rules": list(rules), **images}
    with planet.store.read() as tx:
        return PostImages(image_rules(planet.config, tx), tx).published([post], feed)[0]


def everything(planet) -> str:
    """The text of all documents of feeds, percent-escapes and all."""
    return "\n".join(
        body.decode() for name, (body, *_) in planet.documents().items() if name.endswith((".xml", ".json", ".html"))
    )


def test_every_place_of_a_post_is_published_by_the_rules(planet):
    post = a_post(
        content=BODY,
        summary=f'<img src="{IMAGE}">',
        image=IMAGE,
        enclosures=(Enclosure(IMAGE, "image/jpeg", 5), Enclosure("https://e.example/a.mp3", "audio/mpeg")),
        media=(
            Media(IMAGE, "thumbnail"),
            Media(OTHER, medium="image"),
            Media("https://e.example/a.mp4", medium="video"),
        ),
    )
    shown = put(planet, post, WESERV)
    left = re.sub(r"https://wsrv\.nl/\?url=[^\"&]+", "", repr(shown))
    assert IMAGE not in left
    assert OTHER not in left
    assert shown.enclosures[1] == post.enclosures[1]
    assert shown.media[2] == post.media[2]
    assert sorted(images_of(post)) == [OTHER] * 3 + [IMAGE] * 5


def test_what_is_dropped_is_nowhere(planet):
    post = a_post(
        content=BODY, image=IMAGE, enclosures=(Enclosure(IMAGE, "image/jpeg"),), media=(Media(IMAGE, "thumbnail"),)
    )
    shown = put(planet, post, {"hosts": "*.sinaimg.cn", "action": "drop"})
    assert (shown.image, shown.enclosures, shown.media) == (None, (), ())
    assert "sinaimg" not in shown.content
    assert OTHER in shown.content


def test_without_rules_posts_are_published_as_they_are_stored(planet):
    post = a_post(content=BODY, image=IMAGE)
    assert put(planet, post) is post


def test_a_former_prefix_is_taken_off_without_any_rule(planet):
    post = a_post(content=f'<img src="https://cors.example/?{IMAGE}">')
    assert put(planet, post, former_prefixes=["https://cors.example/?"]).content == f'<img src="{IMAGE}">'


def test_what_is_behind_a_former_prefix_meets_the_rules_and_what_nobody_may_see_stays_behind_it(planet):
    def published(origin, *rules):
        image = f"https://cors.example/?{origin}"
        return put(planet, a_post(image=image), *rules, key="k" * 16, former_prefixes=["https://cors.example/?"]).image

    assert published("http://例え.jp/a.jpg", {"hosts": "xn--*", "action": "drop"}) is None
    proxied = published("http://[2606:4700::1111]/a.jpg", {"action": "proxy"})
    assert proxied.startswith("https://feeds.example.com/img/")
    assert put(planet, a_post(image=proxied), {"action": "proxy"}, key="k" * 16).image == proxied
    assert published("http://10.0.0.1/a.jpg", {"action": "proxy"}) == "https://cors.example/?http://10.0.0.1/a.jpg"


def test_our_own_endpoint_is_taken_off_before_the_rules_whoever_signed_it(blog):
    blog.post("one.md", BODY)
    blog.settings["images"] = {"rules": [{"action": "proxy"}]}
    blog.run()
    [proxied] = set(re.findall(r"https://feeds\.example\.com/img/[\w-]+/[\w-]+", blog.items()[0]["image"]))
    held = proxied.rpartition("/")[2]
    assert urlsafe_b64decode(held + "=" * (-len(held) % 4)).decode() == IMAGE
    assert (
        put(blog, a_post(image=proxied), WESERV).image
        == "https://wsrv.nl/?url=https%3A%2F%2Fwx1.sinaimg.cn%2Flarge%2Fa.jpg"
    )


def test_urls_of_our_proxy_survive_a_restart_and_another_key_makes_others(blog):
    blog.post("one.md", BODY)
    blog.settings["images"] = {"rules": [{"action": "proxy"}]}
    blog.run()
    before = blog.items()[0]["image"]
    blog.run(force=True)
    assert blog.items()[0]["image"] == before
    blog.settings["images"]["key"] = "k" * 32
    blog.run()
    assert blog.items()[0]["image"] != before


def test_no_credentials_are_handed_to_a_proxy(planet):
    secret = "https://user:secret@o.example.com/b.png"
    assert put(planet, a_post(image=secret), {"action": "proxy"}, WESERV, key="k" * 16).image == secret


def test_another_policy_and_back_gives_the_same_bytes(blog):
    blog.post("one.md", BODY)
    blog.post("two.md", "<p>no image</p>", categories=["plain"])
    blog.run()
    plain = {name: body for name, (body, *_) in blog.documents().items()}
    blog.settings["images"] = {"rules": [WESERV]}
    blog.run()
    assert "wsrv.nl" in everything(blog)
    blog.settings["images"] = {}
    blog.run()
    assert {name: body for name, (body, *_) in blog.documents().items()} == plain


def test_another_policy_needs_no_source_and_rewrites_only_documents_with_a_changed_image(blog):
    blog.post("one.md", f'<img src="{IMAGE}">')
    blog.post("two.md", f'<img src="{OTHER}">', categories=["other"])
    blog.run()
    before = blog.documents()
    blog.settings["images"] = {"rules": [{"hosts": "*.sinaimg.cn", **WESERV}]}
    blog.now = blog.now.replace(hour=20)
    result = blog.run()
    assert [(source.how, source.is_news) for source in result.sources] == [("files", False)]
    written = {path for feed in result.feeds for path in feed.written}
    assert {path.partition("/")[2].rpartition("/")[0] for path in written if path.startswith("category")} == {
        "a",
        "a/b",
    }
    for name, (body, *rest) in blog.documents().items():
        if name not in written:
            assert (body, *rest) == before[name]


def test_a_rule_for_some_feeds_leaves_the_recipe_of_others(blog):
    blog.post("one.md", BODY)
    blog.run()
    blog.settings["images"] = {"rules": [{"feeds": "category/a", **WESERV}]}
    result = blog.run()
    assert [feed.slug for feed in result.feeds if feed.slug] == ["category/a"]
    assert "wsrv.nl" in json.dumps(blog.items("category/a"))
    assert "wsrv.nl" not in json.dumps(blog.items("category/a/b"))


@pytest.mark.parametrize("rule", [WESERV, {"action": "proxy"}, {"action": "drop"}])
def test_publishing_twice_writes_nothing(blog, rule):
    blog.post("one.md", BODY, thumbnail=IMAGE)
    blog.settings["images"] = {"rules": [rule]}
    blog.run()
    before = blog.documents()
    blog.run(force=True)
    assert blog.documents() == before


def test_a_page_of_a_post_without_a_link_follows_the_policy(blog):
    blog.post("one.md", BODY)
    blog.run()
    [page] = [name for name in blog.documents() if name.startswith("posts/") and name.endswith(".html")]
    blog.settings["images"] = {"rules": [WESERV]}
    blog.run()
    text = blog.documents()[page][0].decode()
    assert "wsrv.nl" in text
    assert f'src="{IMAGE}"' not in text


@pytest.mark.parametrize(
    "hidden",
    [
        "http://192.168.1.1/reboot",
        "http://localhost:8080/",
        "https://blog.example.com/wp-login.php?action=logout",
        "https://pixel.wp.com/b.gif",
        "https://[x/a.jpg",
        "https://a\u2100b.example/x.jpg",
        "javascript:alert(1)",
    ],
)
def test_h9_what_is_hidden_behind_something_that_looks_like_ours_stays_there(blog, hidden):
    ours = f"https://feeds.example.com/img/AAAA/{urlsafe_b64encode(hidden.encode()).decode().rstrip('=')}"
    blog.post("one.md", f'<p>text <img src="{ours}"></p>')
    for rule in (WESERV, {"action": "proxy"}, {"action": "drop", "hosts": "nobody.example"}):
        blog.settings["images"] = {"rules": [rule]}
        blog.run()
        assert f'src="{ours}"' in blog.items()[0]["content_html"]


def test_our_own_proxy_never_asks_itself_however_its_host_is_written(planet):
    for host in ("feeds.example.com:443", "feeds.example.com.", "FEEDS.example.com"):
        own = f"https://{host}/img/AAAA/aHR0cHM6Ly9lLmV4YW1wbGUvYS5qcGc"
        assert put(planet, a_post(image=own), {"action": "proxy"}, key="k" * 16).image == own


def test_a_post_that_brings_a_fault_of_ours_to_light_costs_its_feeds_and_no_others(blog, monkeypatch):
    blog.post("one.md", "<p>text</p>", categories=["good"])
    blog.post("two.md", "<p>bad</p>", categories=["bad"])

    def torn(self, post, feed):
        if "bad" in post.content:
            raise IndexError("list index out of range")
        return post

    monkeypatch.setattr(PostImages, "_post", torn)
    blog.settings["images"] = {"rules": [WESERV]}
    result = blog.run()
    failed = {feed.slug: feed.error for feed in result.feeds if feed.error}
    assert failed.keys() == {"all", "category/bad", ""}
    assert failed[""] == "the page of blog: path:two.md: unexpected IndexError: list index out of range"
    assert failed["category/bad"] == "category/bad: unexpected IndexError: list index out of range"
    assert blog.titles("category/good") == ["Title of one.md"]
