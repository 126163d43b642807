"""A whole aggregator in a folder, for every test here: see `planet`."""

from planet import blog, feed, no_fsync, planet, web

__all__ = ["blog", "feed", "no_fsync", "planet", "web"]
