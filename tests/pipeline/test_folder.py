from __future__ import annotations

import os
import shutil
from datetime import timedelta

import pytest


def test_a_file_is_published_in_its_category_and_every_ancestor(blog):
    blog.post("one.md")
    [result] = blog.run().sources
    assert (result.new, result.error) == (1, "")
    for feed in ("all", "category/a", "category/a/b"):
        assert blog.titles(feed) == ["Title of one.md"]


def test_a_run_in_which_nothing_changed_reads_and_writes_nothing(blog):
    file = blog.post("one.md", "<p>one</p>")
    blog.run()
    before, times = blog.documents(), file.stat()
    blog.post("one.md", "<p>two</p>")  # nobody does this: same size, same time, so that reading it would show
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    result = blog.run()
    assert result.sources[0].in_words == "nothing new"
    assert result.feeds == []
    assert blog.documents() == before


def test_a_file_whose_time_alone_changed_is_not_news(blog):
    file = blog.post("one.md")
    blog.run()
    before = blog.documents()
    os.utime(file, (1, 1))
    result = blog.run()
    assert (result.sources[0].is_news, result.sources[0].unchanged, result.feeds) == (False, 1, [])
    assert blog.documents() == before


def test_a_file_saved_again_within_a_tick_of_being_read_is_noticed(blog):
    file = blog.post("one.md", "<p>aaaa</p>")
    moment = (blog.now + timedelta(hours=1)).timestamp()
    os.utime(file, (moment, moment))
    blog.run()
    blog.post("one.md", "<p>bbbb</p>")
    os.utime(file, (moment, moment))
    blog.run()
    assert "bbbb" in blog.items()[0]["content_html"]


def test_m9_an_edited_file_updates_its_post_and_only_the_feeds_that_hold_it(blog):
    blog.post("one.md")
    blog.post("two.md", categories=["c"])
    blog.run()
    before = blog.documents()
    guid = next(item["id"] for item in blog.items() if "one" in item["title"])
    blog.post("one.md", "<p>edited</p>")
    result = blog.run()
    assert {feed.slug for feed in result.feeds if feed.slug} == {"all", "category/a", "category/a/b"}
    after = blog.documents()
    changed = {name.rpartition("/")[0] for name, document in after.items() if document != before[name]}
    (page,) = (item["url"] for item in blog.items("category/a") if item["id"] == guid)
    own = page.removeprefix("https://feeds.example.com/").rstrip("/")  # it has no link of its own
    assert changed == {"all", "category/a", "category/a/b", own}
    assert blog.items("category/a")[0]["id"] == guid


def test_m9_a_deleted_file_is_withdrawn_and_comes_back_with_its_guid(blog):
    blog.post("one.md")
    blog.post("two.md", categories=["c"])
    blog.run()
    guids = {item["title"]: item["id"] for item in blog.items()}
    (blog.folder / "posts" / "one.md").unlink()
    assert blog.run().sources[0].withdrawn == 1
    assert blog.titles() == ["Title of two.md"]
    assert not (blog.output / "category" / "a").exists()
    blog.post("one.md")
    blog.run()
    assert {item["title"]: item["id"] for item in blog.items()} == guids


def test_m9_two_files_with_the_same_content_are_two_posts(blog):
    for name in ("one.md", "two.md"):
        blog.post(name, title="Same", abbrlink="4242")
    blog.run()
    assert blog.titles() == ["Same", "Same"]
    assert len({item["id"] for item in blog.items()}) == 2
    assert blog.run().sources[0].in_words == "nothing new"


def test_m9_a_renamed_file_is_the_same_post_if_it_names_its_id(blog):
    file = blog.post("one.md", abbrlink="4242")
    blog.run()
    [guid] = [item["id"] for item in blog.items()]
    file.rename(blog.folder / "posts" / "renamed.md")
    result = blog.run().sources[0]
    assert (result.new, result.withdrawn) == (0, 0)
    assert [item["id"] for item in blog.items()] == [guid]


def test_m9_two_files_that_swap_their_ids_swap_their_posts(blog):
    blog.post("one.md", abbrlink="1", title="One")
    blog.post("two.md", abbrlink="2", title="Two")
    blog.run()
    guids = {item["title"]: item["id"] for item in blog.items()}
    blog.post("one.md", abbrlink="2", title="Two")
    blog.post("two.md", abbrlink="1", title="One")
    result = blog.run().sources[0]
    assert (result.new, result.withdrawn) == (0, 0)
    assert {item["title"]: item["id"] for item in blog.items()} == guids


def test_m9_an_edit_that_changes_the_id_replaces_the_post(blog):
    blog.post("one.md", abbrlink="1")
    blog.run()
    blog.post("one.md", abbrlink="2")
    result = blog.run().sources[0]
    assert (result.new, result.withdrawn, len(blog.items())) == (1, 1, 1)


def test_m9_a_file_that_is_emptied_takes_its_post_out_of_the_feeds(blog):
    blog.post("one.md")
    blog.run()
    blog.write("posts/one.md", "")
    assert blog.run().sources[0].withdrawn == 1
    assert blog.items() == []


def test_m9_a_renamed_file_without_an_id_is_another_post(blog):
    file = blog.post("one.md")
    blog.run()
    file.rename(blog.folder / "posts" / "renamed.md")
    result = blog.run().sources[0]
    assert (result.new, result.withdrawn) == (1, 1)
    assert len(blog.items()) == 1


def test_m7_drafts_hidden_and_future_posts_are_not_published_until_they_may_be(blog):
    blog.post("draft.md", draft=True)
    blog.post("unpublished.md", published=False)
    blog.post("hidden.md", hidden=True)
    blog.post("future.md", date="2024-05-03 00:00:00")
    blog.run()
    assert blog.titles() == []
    blog.now += timedelta(days=3)
    result = blog.run()
    assert result.sources[0].in_words == "nothing new"
    assert blog.titles() == ["Title of future.md"]


def test_a_post_without_a_date_keeps_the_one_it_was_first_seen_with(blog):
    blog.post("one.md", date="Invalid Date")
    [result] = blog.run().sources
    assert any("Invalid Date" in warning for warning in result.warnings)
    [first] = blog.items()
    blog.now += timedelta(days=5)
    blog.post("one.md", "<p>edited</p>", date="Invalid Date")
    blog.run()
    [second] = blog.items()
    assert "edited" in second["content_html"]
    assert second["date_published"] == first["date_published"]


def test_m2_a_file_read_leniently_is_published_and_named(blog):
    blog.write("posts/bad.md", '---\ntitle: """\'x\'"""\ndate: 2024-01-02\ncategories:\n - a\n---\n<p>b</p>\n')
    [result] = blog.run().sources
    assert result.lenient == 1
    assert "bad.md" in result.warnings[0]
    assert blog.titles() == ["x"]


def test_m5_a_file_that_cannot_be_read_is_skipped_by_name_and_the_rest_goes_on(blog):
    blog.post("good.md")
    blog.write("posts/huge.md", b"---\ntitle: x\n---\n" + b"x" * 3000)
    blog.write("posts/binary.md", bytes(range(256)) * 8)
    blog.write("posts/empty.md", "")
    (blog.folder / "posts" / "folder.md").mkdir()
    blog.sources[0]["max_bytes"] = 2500
    [result] = blog.run().sources
    assert blog.titles() == ["Title of good.md"]
    assert result.error == ""
    for name in ("huge.md", "binary.md", "empty.md"):
        assert any(name in warning for warning in result.warnings)


def test_a_folder_that_is_not_there_fails_and_its_posts_stay(blog):
    blog.post("one.md")
    blog.run()
    shutil.move(blog.folder / "posts", blog.folder / "away")
    result = blog.run()
    assert "there is no folder" in result.sources[0].error
    assert result.failed
    assert blog.titles() == ["Title of one.md"]


def test_a_change_of_rules_makes_the_posts_anew(blog):
    blog.post("one.md")
    blog.run()
    guid = blog.items()[0]["id"]
    blog.sources[0]["dialect"] = "jekyll"
    assert blog.run().sources[0].changed == 1
    assert [item["id"] for item in blog.items("category/b")] == [guid]
    assert not (blog.output / "category" / "a" / "b").exists()


@pytest.mark.slow
def test_many_files_are_read_by_several_processes_with_the_same_result(blog, tmp_path):
    for number in range(320):
        blog.post(
            f"{number:03}.md", date=f"2024-01-02 03:{number // 60:02}:{number % 60:02}", categories=[f"c{number % 40}"]
        )
    result = blog.run()
    assert (result.sources[0].new, len(blog.items())) == (320, 50)
    assert blog.titles()[:2] == ["Title of 319.md", "Title of 318.md"]
    assert len([feed for feed in result.feeds if feed.slug]) == 41


def test_the_link_template_gives_posts_a_link(blog):
    blog.sources[0]["link"] = "https://blog.example.com/{path}/"
    blog.post("2024/one.md", '<p><a href="../x">x</a><img src="pic.png"></p>')
    blog.run()
    [item] = blog.items()
    assert item["url"] == "https://blog.example.com/2024/one/"
    assert 'href="https://blog.example.com/2024/x"' in item["content_html"]
    assert 'src="https://blog.example.com/2024/one/pic.png"' in item["content_html"]


def test_m9_a_renamed_file_keeps_its_post_even_if_another_takes_its_name(blog):
    file = blog.post("new.md", guid="https://x.example/1", title="First")
    blog.run()
    file.rename(blog.folder / "posts" / "first.md")
    blog.post("new.md", guid="https://x.example/2", title="Second")
    blog.run()
    assert {item["title"]: item["id"] for item in blog.items()} == {
        "First": "https://x.example/1",
        "Second": "https://x.example/2",
    }


def test_a_folder_below_that_cannot_be_read_keeps_its_posts(blog, monkeypatch):
    blog.post("one.md")
    blog.post("sub/two.md")
    blog.run()
    real = os.scandir

    def scandir(path):
        if str(path).rstrip("/").endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    [result] = blog.run().sources
    assert result.withdrawn == 0
    assert "sub/" in result.warnings[0]


def test_r5_a_clock_set_back_takes_no_published_post_away(blog):
    moment = blog.now + timedelta(minutes=30)
    blog.post("one.md", date=moment.isoformat())
    blog.run()
    blog.now -= timedelta(hours=2)
    blog.post("one.md", "<p>edited</p>", date=moment.isoformat())
    blog.run()
    assert "edited" in blog.items()[0]["content_html"]


def test_a_file_of_the_far_future_is_read_like_any_other(blog):
    os.utime(blog.post("one.md"), (13_569_465_600, 13_569_465_600))  # the year 2400
    assert blog.run().sources[0].new == 1


def test_a_file_with_nothing_in_it_is_skipped_by_name(blog):
    blog.write("posts/void.md", "---\nlayout: x\n---\n")
    [result] = blog.run().sources
    assert result.warnings == ["void.md: skipped, it has neither a title nor a text"]


@pytest.mark.slow
def test_many_files_beside_a_web_feed_are_read_without_a_deadlock(blog):
    """Processes are forked before any thread is started: a lock held meanwhile would stay locked in them for ever."""
    blog.write("feed.xml", "<rss version='2.0'><channel><title>t</title></channel></rss>")
    blog.sources.append({"name": "web", "type": "feed", "url": "feed.xml"})
    for version in range(3):
        for number in range(310):
            blog.post(f"{number}.md", f"<p>{version}</p>")
        assert not blog.run().failed
