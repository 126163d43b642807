from __future__ import annotations

import pytest

from aggregator.models import Draft
from aggregator.normalize.identity import identify, is_moved, is_renamed, is_reused, is_uri, mint_guid


def keys(*drafts: Draft) -> list[str | None]:
    return [identity and identity.key for identity in identify(drafts)]


def test_a_draft_is_known_by_guid_else_link_else_path_else_what_it_says():
    drafts = (
        Draft(guid="urn:x:1", link="https://e.example/1", path="1.md"),
        Draft(link="https://e.example/2", path="2.md"),
        Draft(path="3.md", title="t"),
        Draft(title="t"),
    )
    guid, link, path, said = keys(*drafts)
    assert (guid, link, path) == ("guid:urn:x:1", "link:e.example/2", "path:3.md")
    assert said is not None
    assert said.startswith("hash:")


def test_a_link_is_the_same_page_with_https_and_without_tracking():
    [plain] = keys(Draft(link="http://E.example/2?utm_source=rss"))
    assert plain == "link:e.example/2"


def test_p11_all_guids_equal_fall_back_to_links():
    drafts = [Draft(guid="latest", link=f"https://e.example/{n}") for n in range(10)]
    assert keys(*drafts) == [f"link:e.example/{n}" for n in range(10)]


def test_p11_all_guids_and_links_equal_fall_back_to_what_is_said():
    drafts = [Draft(guid="x", link="https://e.example/", title=f"Title {n}") for n in range(10)]
    assert len(set(keys(*drafts))) == 10


def test_p11_one_collision_in_twenty_leaves_the_guids_trusted():
    drafts = [Draft(guid=f"g{n}", link=f"https://e.example/{n}", title=str(n)) for n in range(19)]
    odd = Draft(guid="g0", link="https://e.example/odd", title="odd")
    found = keys(*drafts, odd)
    assert found[0] == "guid:g0"
    assert found[-1] == "guid:g0\ne.example/odd"


def test_the_same_item_twice_in_a_document_is_one_post():
    item = Draft(guid="g", link="https://e.example/1", title="t")
    assert keys(item, item) == ["guid:g", None]


def test_a_guid_is_published_only_where_it_is_trusted_and_a_uri():
    trusted, plain = identify([Draft(guid="https://e.example/?p=1"), Draft(guid="post 7")])
    assert trusted is not None
    assert trusted.guid == "https://e.example/?p=1"
    assert plain is not None
    assert plain.guid is None
    repeated = identify([Draft(guid="https://e.example/", title=str(n)) for n in range(9)])
    assert {identity and identity.guid for identity in repeated} == {None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://e.example/a?b=c#d", True),
        ("tag:e.example,2021:x", True),
        ("tag:https://e.example,2021:x", False),
        ("urn:uuid:not-a-uuid", False),
        ("tag:Example.com,2020-13-45:x", False),
        ("urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a", True),
        ("yt:video:abc", True),
        ("12345", False),
        ("https://e.example/a b", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://e.example/中文", False),
        ("", False),
    ],
)
def test_what_counts_as_a_uri(text, expected):
    assert is_uri(text) is expected


def test_p11_a_reused_guid_is_a_new_post_only_if_nothing_else_is_the_same():
    assert is_reused(same_link=False, same_title=False, same_date=False)
    assert not is_reused(same_link=True, same_title=False, same_date=False)
    assert not is_reused(same_link=False, same_title=True, same_date=False)


def test_p11_a_new_guid_on_the_same_page_is_the_same_post_only_if_title_and_date_are_the_same():
    assert is_renamed(same_link=True, same_title=True, same_date=True)
    assert not is_renamed(same_link=True, same_title=True, same_date=False)
    assert not is_renamed(same_link=True, same_title=False, same_date=True)


def test_a_page_is_the_same_on_another_host_only_if_its_path_says_so():
    assert is_moved("old.example/a/1", "new.example/a/1")
    assert not is_moved("old.example/a/1", "new.example/a/2")
    assert not is_moved("old.example/", "new.example/")


def test_a_minted_guid_depends_on_site_source_and_key_alone():
    guid = mint_guid("https://Feeds.Example.com/x/", "blog", "path:a.md")
    assert guid.startswith("tag:feeds.example.com,2000:blog/")
    assert is_uri(guid)
    assert guid == mint_guid("https://feeds.example.com/", "blog", "path:a.md")
    assert guid != mint_guid("https://feeds.example.com/", "blog", "path:b.md")
