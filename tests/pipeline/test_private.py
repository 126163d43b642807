from __future__ import annotations

import time

import pytest
from pydantic import ValidationError

from aggregator.config.models import FeedConfig
from aggregator.pipeline.private import without_folders, without_tokens

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


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        (
            "cannot write /srv/feeds/all/rss.xml: No space left on device",
            "cannot write rss.xml: No space left on device",
        ),
        (
            "the store sqlite:////var/lib/a.db is locked by another program",
            "the store a.db is locked by another program",
        ),
        ("there is no folder /srv/my customers/acme (old)/posts", "there is no folder posts"),
        (
            "unexpected OSError: [Errno 2] No such file or directory: '/srv/acme/x.md'",
            "unexpected OSError: [Errno 2] No such file or directory: 'x.md'",
        ),
        ("the store postgresql+psycopg://me:***@db.lan:5432/name failed: no", "the store name failed: no"),
        ("https://a.example/b/c.xml failed; it is asked again where it is configured", None),
        ("an address must begin with `/`, and hold a/b", None),
        ("all/rss.xml: Permission denied; all/atom.xml: Permission denied", None),
        ("nothing was scheduled for 300 seconds", None),
    ],
)
def test_what_is_wrong_is_told_to_anybody_without_the_folders_of_this_machine(problem, shown):
    assert without_folders(problem) == (shown or problem)


@pytest.mark.parametrize(
    "part", ["a", "/a", "/ ", "a.", "(/a", "=/", "sqlite:", "sqlite://", "a/ ", "https://", "' /a"]
)
def test_however_a_text_is_made_it_takes_no_time_to_hide_folders_in_it(part):
    begun = time.process_time()
    without_folders(f"cannot read /srv/feeds/.aggregator-manifest.json{part * 5_000}: no")
    assert time.process_time() - begun < 0.5
