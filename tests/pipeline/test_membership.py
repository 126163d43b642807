from __future__ import annotations

from builders import a_post

from aggregator.config.models import Config
from aggregator.pipeline.membership import feeds_of


def slugs(post, **settings):
    return feeds_of(Config.model_validate(settings))(post)


def test_a_post_is_in_the_feeds_of_its_categories_and_of_all_above_and_on_its_own_page():
    listed = [
        {"slug": "one", "title": "One", "categories": ["a"]},
        {"slug": "two", "title": "Two", "categories": ["x"]},
    ]
    found = slugs(a_post("a/b", "c"), feeds=listed)
    assert found == {"", "all", "one", "category/a", "category/a/b", "category/c"}
    assert slugs(a_post("ab"), feeds=listed) == {"", "all", "category/ab"}


def test_a_feed_without_categories_holds_every_post_and_one_of_several_is_named_once():
    listed = [
        {"slug": "all", "title": "Everything", "categories": ["a"]},
        {"slug": "whole", "title": "Whole"},
        {"slug": "some", "title": "Some", "categories": ["b", "a/b", "a"]},
    ]
    assert slugs(a_post("a/b"), feeds=listed) == {"", "all", "whole", "some", "category/a", "category/a/b"}
    assert slugs(a_post("c"), feeds=listed) == {"", "whole", "category/c"}


def test_categories_have_feeds_as_deep_as_they_are_wanted():
    assert slugs(a_post(r"a/CI\/CD/c"), by_category={"depth": 2}) == {"", "all", "category/a", r"category/a/CI\/CD"}
    assert slugs(a_post("a"), by_category={"enabled": False}) == {"", "all"}
