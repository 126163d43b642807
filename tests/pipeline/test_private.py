from __future__ import annotations

import pytest
from pydantic import ValidationError

from aggregator.config.models import FeedConfig
from aggregator.pipeline.private import without_tokens

TOKEN = "s3cret-s3cret-s3cret"


def private_folder(planet, slug):
    [found] = (planet.output / "private").glob(f"*/{slug}")
    return found


def test_a_private_feed_lies_below_a_secret_and_is_listed_nowhere(blog):
    blog.settings["feeds"] = [{"slug": "mine", "title": "Mine alone", "private": True}]
    blog.post("a.md", title="A")
    blog.run()
    token = private_folder(blog, "mine").parent.name
    assert len(token) >= 40
    assert blog.titles(f"private/{token}/mine") == ["A"]
    for page in ("index.html", "feeds.opml"):
        text = (blog.output / page).read_text()
        assert "Mine" not in text
        assert token not in text
    feed = (blog.output / f"private/{token}/mine/rss.xml").read_text()
    assert f'href="https://feeds.example.com/private/{token}/mine/rss.xml"' in feed


def test_its_secret_is_minted_once_or_given_by_the_configuration(blog):
    blog.settings["feeds"] = [{"slug": "mine", "title": "Mine", "private": True}]
    blog.post("a.md", title="A")
    blog.run()
    first = private_folder(blog, "mine")
    blog.run()
    assert private_folder(blog, "mine") == first
    blog.settings["feeds"] = [{"slug": "mine", "title": "Mine", "private": True, "token": TOKEN}]
    blog.run()
    assert private_folder(blog, "mine").parent.name == TOKEN
    assert not first.exists()


@pytest.mark.parametrize("token", ["short", "with/slash/with/slash", "with space with space", ".." * 10])
def test_a_secret_that_could_be_guessed_or_is_no_name_of_a_folder_is_refused(token):
    with pytest.raises(ValidationError, match="16 to 200"):
        FeedConfig.model_validate({"slug": "x", "title": "X", "private": True, "token": token})


def test_f16_the_secret_is_in_no_message(blog):
    blog.settings["feeds"] = [{"slug": "mine", "title": "Mine", "private": True, "token": TOKEN}]
    blog.post("a.md", title="A")
    (blog.output / "private" / TOKEN).mkdir(parents=True)
    (blog.output / "private" / TOKEN / "mine").write_text("in the way")
    [failed] = [feed for feed in blog.run().feeds if feed.error]
    assert failed.slug == "mine"
    assert TOKEN in failed.error
    assert TOKEN not in without_tokens(failed.error)
