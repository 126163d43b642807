from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from builders import a_post, an_entry

from aggregator.errors import PublishError


def files(planet, directory=""):
    return {name for name in planet.documents() if name.startswith(directory)}


def test_a_feed_without_posts_is_published_empty(blog):
    blog.run()
    assert blog.items() == []
    assert files(blog, "all/") == {"all/rss.xml", "all/atom.xml", "all/feed.json", "all/index.html"}


def test_the_front_page_and_the_list_of_feeds_are_there(blog):
    blog.post("one.md")
    blog.run()
    assert b"category/a/b/rss.xml" in blog.documents()["index.html"][0]
    assert b"https://feeds.example.com/category/a/b/" in blog.documents()["feeds.opml"][0]


def test_r8_a_feed_that_left_the_configuration_is_removed_and_nobody_elses_files_are(blog):
    blog.post("one.md")
    blog.settings["feeds"] = [{"slug": "mine", "title": "Mine", "formats": ["rss", "json"]}]
    blog.run()
    assert files(blog, "mine/") == {"mine/rss.xml", "mine/feed.json", "mine/index.html"}
    foreign = blog.output / "mine" / "notes.txt"
    foreign.write_text("not ours")
    (blog.output / "CNAME").write_text("feeds.example.com")
    blog.settings["feeds"] = []
    blog.run()
    assert files(blog, "mine/") == {"mine/notes.txt"}
    assert (blog.output / "CNAME").exists()


def test_a_format_that_is_no_longer_wanted_is_removed(blog):
    blog.post("one.md")
    blog.run()
    blog.settings["by_category"] = {"formats": ["json"]}
    blog.run()
    assert files(blog, "category/a/b/") == {"category/a/b/feed.json", "category/a/b/index.html"}


def test_documents_that_somebody_deleted_come_back(blog):
    blog.post("one.md")
    blog.run()
    before = blog.documents()
    (blog.output / "all" / "rss.xml").unlink()
    (blog.output / "index.html").unlink()
    result = blog.run()
    assert {path for feed in result.feeds for path in feed.written} == {"all/rss.xml", "index.html"}
    assert {name: body for name, (body, _) in blog.documents().items()} == {
        name: body for name, (body, _) in before.items()
    }


def test_force_renders_everything_and_writes_nothing_that_is_the_same(blog):
    blog.post("one.md")
    blog.run()
    before = blog.documents()
    result = blog.run(force=True)
    assert len([feed for feed in result.feeds if feed.slug]) == 3
    assert all(not feed.written for feed in result.feeds)
    assert blog.documents() == before


def test_only_the_named_feed_is_regenerated(blog):
    blog.post("one.md")
    result = blog.run(feeds=["category/a"])
    assert [feed.slug for feed in result.feeds] == ["category/a"]
    assert blog.titles("category/a") == ["Title of one.md"]
    assert blog.titles() == []
    blog.run()
    assert blog.titles() == ["Title of one.md"]


def test_categories_get_feeds_as_deep_and_as_full_as_configured(blog):
    blog.settings["by_category"] = {"depth": 1, "min_posts": 2}
    blog.post("one.md", categories=["a", "b", "c"])
    blog.post("two.md", categories=["a"])
    blog.post("three.md", categories=["d"])
    blog.run()
    assert {name.rpartition("/")[0] for name in files(blog, "category/")} == {"category/a"}
    assert len(blog.items("category/a")) == 2


def test_a_feed_of_categories_holds_everything_below_them_up_to_its_limit(blog):
    blog.settings["feeds"] = [{"slug": "both", "title": "Both", "categories": ["a/b", "c"], "limit": 2}]
    for number, path in enumerate([["a", "b", "x"], ["c"], ["a"], ["a", "b"]]):
        blog.post(f"{number}.md", categories=path, date=f"2024-01-0{number + 1}")
    blog.run()
    assert blog.titles("both") == ["Title of 3.md", "Title of 1.md"]


def test_r7_hostile_category_names_get_distinct_safe_folders_and_keep_their_true_names(blog):
    names = ["..", ".", "/", "CON", "x" * 300, "😡", "é", "e\u0301", "Foo", "foo", "rss.xml", "a/b", "index.html", "-"]
    for number, name in enumerate(names):
        blog.post(f"{number:02}.md", categories=[name], title=f"{number:02}")
    blog.run()
    directories = {name.rpartition("/")[0] for name in files(blog, "category/")}
    # NFC and NFD of one name are one category: nobody can tell them apart
    assert len(directories) == len(names) - 1
    assert all(len(directory.split("/")) == 2 for directory in directories)
    assert len({directory.casefold() for directory in directories}) == len(directories)
    assert {tag for item in blog.items() for tag in item["tags"]} >= {"..", "CON", "Foo", "foo", "a\\/b", "😡"}
    assert not (blog.output.parent / "rss.xml").exists()


def test_a_url_once_given_to_a_category_stays_when_its_twin_appears(blog):
    blog.post("one.md", categories=["foo"])
    blog.run()
    blog.post("two.md", categories=["Foo"])
    blog.run()
    assert blog.titles("category/foo") == ["Title of one.md"]


def test_r1_an_output_that_cannot_be_written_fails_with_a_reason_and_the_next_run_completes(blog):
    blog.post("one.md")
    blog.run()
    before = blog.documents()
    blog.post("one.md", "<p>edited</p>")
    in_the_way = blog.output / "all"
    in_the_way.rename(blog.output / "moved")
    in_the_way.write_text("a file where a folder should be")
    result = blog.run()
    failed = [feed for feed in result.feeds if feed.error]
    assert [feed.slug for feed in failed] == ["all"]
    assert "all/rss.xml" in failed[0].error
    assert result.failed
    assert "edited" in blog.items("category/a")[0]["content_html"]
    in_the_way.unlink()
    (blog.output / "moved").rename(in_the_way)
    result = blog.run()
    assert not result.failed
    assert "edited" in blog.items()[0]["content_html"]
    assert blog.documents().keys() == before.keys()


def test_r1_an_output_that_cannot_be_made_is_an_error_that_names_it(blog):
    (blog.folder / "out").write_text("in the way")
    with pytest.raises(PublishError, match="out"):
        blog.run()


def test_documents_can_be_read_by_a_web_server(blog):
    blog.post("one.md")
    blog.run()
    mode = (blog.output / "all" / "rss.xml").stat().st_mode
    assert stat.S_IMODE(mode) & 0o444 == 0o444 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.slow
def test_one_changed_post_costs_the_same_however_many_are_stored(blog):
    """What is asked of the store for one change does not grow with it: counted in statements, not in seconds."""
    from sqlalchemy import event

    def statements_of_a_change() -> int:
        count = 0

        def note(*_: object) -> None:
            nonlocal count
            count += 1

        engine = blog.store._engine
        event.listen(engine, "before_cursor_execute", note)
        blog.post("one.md", f"<p>edited {blog.now}</p>")
        blog.run()
        event.remove(engine, "before_cursor_execute", note)
        return count

    blog.post("one.md")
    blog.run()
    few = statements_of_a_change()
    with blog.store.write() as tx:
        old = [an_entry(a_post("a/b", published=blog.now - timedelta(days=900, seconds=n))) for n in range(3000)]
        tx.posts.put(old, {}, blog.now)
    blog.run()
    assert statements_of_a_change() == few


def test_a_source_that_leaves_the_configuration_takes_its_posts_along_and_brings_them_back(blog):
    blog.post("one.md", date="Invalid Date")
    blog.write(
        "feed.xml", "<rss version='2.0'><channel><title>t</title><item><title>Web</title></item></channel></rss>"
    )
    blog.sources.append({"name": "web", "type": "feed", "url": "feed.xml"})
    blog.run()
    before = blog.items()
    both, blog.sources[:] = list(blog.sources), []
    results = blog.run().sources
    assert {one.name: one.in_words for one in results} == {
        "blog": "left the configuration: 1 withdrawn",
        "web": "left the configuration: 1 withdrawn",
    }
    assert blog.items() == []
    assert blog.run().sources == []
    blog.sources[:] = both
    blog.run()
    assert blog.items() == before


def test_r8_a_link_in_the_output_leads_nowhere(blog):
    blog.post("one.md")
    elsewhere = blog.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "rss.xml").write_text("somebody else's")
    blog.output.mkdir()
    (blog.output / "all").symlink_to(elsewhere)
    result = blog.run()
    assert "leads out of the output" in next(feed.error for feed in result.feeds if feed.slug == "all")
    assert [file.name for file in elsewhere.iterdir()] == ["rss.xml"]
    assert (elsewhere / "rss.xml").read_text() == "somebody else's"
    assert blog.titles("category/a") == ["Title of one.md"]


def test_another_output_and_back_again_is_never_stale(blog):
    blog.post("one.md")
    blog.run()
    blog.settings["output"] = "other"
    blog.post("one.md", "<p>edited</p>")
    blog.run()
    del blog.settings["output"]
    blog.run()
    assert "edited" in blog.items()[0]["content_html"]


def test_r2_what_a_killed_run_left_of_the_front_page_goes_although_no_feed_is_stale(blog):
    blog.post("one.md")
    blog.run()
    (blog.output / ".index.html.4711.tmp").write_text("<!doctype")
    assert blog.run().feeds == []
    assert not list(blog.output.glob(".*.tmp"))


def test_r8_a_manifest_with_what_is_no_path_ends_no_run(blog):
    blog.post("one.md")
    blog.run()
    manifest = blog.output / ".aggregator-manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"all/rss.xml"', f'"all/rss.xml", "\\ud800/x", "{"y" * 300}"'), encoding="utf-8")
    assert not blog.run().failed


def test_feeds_are_rendered_anew_when_the_hub_changes(blog):
    blog.post("a.md")
    blog.run()
    assert blog.run().feeds == []
    blog.settings["websub"] = {"hub": "builtin"}
    blog.run()
    document = json.loads((blog.output / "all" / "feed.json").read_text())
    assert document["hubs"] == [{"type": "WebSub", "url": "https://feeds.example.com/websub"}]
    blog.settings["websub"] = {"hub": "https://hub.example.com/"}
    blog.run()
    assert b'href="https://hub.example.com/" rel="hub"' in (blog.output / "all" / "rss.xml").read_bytes()


def pages_of_posts(planet):
    return {
        name: body
        for name, (body, _) in planet.documents().items()
        if name.startswith("posts/") and name.endswith(".html")
    }


def test_a_post_without_a_link_has_a_page_where_its_feeds_link_to(blog):
    blog.post("one.md", "<p>whole text</p>")
    blog.post("two.md", link="https://example.com/two")
    blog.run()
    links = {item["title"]: item["url"] for item in blog.items()}
    assert links["Title of two.md"] == "https://example.com/two"
    path = links["Title of one.md"].removeprefix("https://feeds.example.com/") + "index.html"
    assert list(pages_of_posts(blog)) == [path]
    page = pages_of_posts(blog)[path].decode()
    assert "<p>whole text</p>" in page
    assert 'href="../../category/a/b/index.html"' in page


def test_r2_pages_that_somebody_removed_are_all_written_even_if_that_is_killed_in_the_middle(blog, monkeypatch):
    for number in range(5):
        blog.post(f"{number}.md")
    blog.run()
    before = pages_of_posts(blog)
    shutil.rmtree(blog.output)
    real, renamed = Path.replace, []

    def killed(self, target):
        if "posts/" in str(target) and target.suffix == ".html":
            renamed.append(target)
            if len(renamed) == 3:
                raise KeyboardInterrupt
        return real(self, target)

    blog.post("0.md", "<p>edited</p>")  # otherwise there is nothing to do
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            blog.run()
    blog.run()
    assert pages_of_posts(blog).keys() == before.keys()


def test_pages_of_posts_follow_the_posts(blog):
    blog.post("one.md")
    blog.post("two.md")
    blog.run()
    before = blog.documents()
    blog.post("one.md", "<p>edited</p>")
    blog.run()
    after = blog.documents()
    changed = [name for name in pages_of_posts(blog) if after[name] != before[name]]
    assert len(changed) == 1
    assert b"edited" in after[changed[0]][0]
    blog.post("one.md", link="https://example.com/one")
    (blog.folder / "posts" / "two.md").unlink()
    blog.run()
    assert pages_of_posts(blog) == {}
    assert not list((blog.output / "posts").glob("*/*"))


def test_a_run_in_which_nothing_changed_touches_no_page_of_a_post(blog, monkeypatch):
    blog.post("one.md")
    blog.run()
    (page,) = pages_of_posts(blog)
    (blog.output / page).write_text("somebody else's edit")
    monkeypatch.setattr("aggregator.store.feeds.Feeds.changed_since", None)  # it is not even asked
    assert blog.run().feeds == []
    assert (blog.output / page).read_text() == "somebody else's edit"


def test_pages_of_posts_come_back_when_their_folder_went_and_with_force(blog):
    blog.post("one.md")
    blog.run()
    before = pages_of_posts(blog)
    shutil.rmtree(blog.output / "posts")
    blog.run()
    assert pages_of_posts(blog) == before
    (page,) = before
    (blog.output / page).unlink()
    blog.run(force=True)
    assert pages_of_posts(blog) == before


def test_r8_somebody_elses_files_beside_the_pages_of_posts_stay(blog):
    blog.post("one.md")
    blog.run()
    (blog.output / "posts" / "notes.txt").write_text("not ours")
    blog.sources[:] = []
    blog.run()
    assert pages_of_posts(blog) == {}
    assert (blog.output / "posts" / "notes.txt").exists()


def test_r8_a_link_in_place_of_the_folder_of_posts_leads_nowhere(blog):
    blog.post("one.md")
    elsewhere = blog.folder / "elsewhere"
    elsewhere.mkdir()
    blog.output.mkdir()
    (blog.output / "posts").symlink_to(elsewhere)
    result = blog.run()
    assert "leads out of the output" in "".join(feed.error for feed in result.feeds)
    assert list(elsewhere.iterdir()) == []
    (blog.output / "posts").unlink()
    assert not blog.run().failed
    assert len(pages_of_posts(blog)) == 1


def test_r1_a_page_of_a_post_that_cannot_be_written_is_written_by_the_next_run(blog):
    blog.post("one.md")
    blog.run()
    (page,) = pages_of_posts(blog)
    blog.post("one.md", "<p>edited</p>")
    (blog.output / page).unlink()
    (blog.output / page).mkdir()
    assert blog.run().failed
    (blog.output / page).rmdir()
    blog.run()
    assert b"edited" in pages_of_posts(blog)[page]


def test_r2_what_a_killed_run_left_beside_the_page_of_a_post_goes(blog):
    blog.post("one.md")
    blog.run()
    (page,) = pages_of_posts(blog)
    (blog.output / page).with_name(".index.html.4711.tmp").write_text("<!doctype")
    blog.post("one.md", "<p>edited</p>")
    blog.run()
    assert not list(blog.output.rglob(".*.tmp"))


def test_many_pages_of_posts_are_rendered_in_pieces(blog, monkeypatch):
    monkeypatch.setattr("aggregator.pipeline.postpages._BATCH", 2)
    monkeypatch.setattr("aggregator.pipeline.postpages._PARALLEL_FROM", 3)
    for number in range(5):
        blog.post(f"{number}.md")
    blog.run()
    assert len(pages_of_posts(blog)) == 5
