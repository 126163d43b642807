from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.images.signing import Signer

URL = "https://e.example/a.jpg?x=1"


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_what_was_signed_is_read_back(origin):
    signer = Signer("k" * 16)
    assert signer.origin(signer.path(origin).removeprefix("img/")) == origin


def test_a_signature_is_for_one_origin_and_one_key():
    signer = Signer("k" * 16)
    signature = signer.path(URL).split("/")[1]
    other = signer.path("https://other.example/").split("/")[2]
    assert signer.origin(f"{signature}/{other}") is None
    assert Signer("l" * 16).origin(signer.path(URL).removeprefix("img/")) is None
    assert signer.origin(URL) is None
    assert signer.origin(f"{signature}/") is None


def test_nothing_else_leads_to_an_origin_but_its_own_path():
    """Spare bits at the end of base64 would give a cache several names for one image."""
    signer = Signer("k" * 16)
    path = signer.path("https://e.example/ab").removeprefix("img/")  # 20 bytes: two spare bits in the last character
    others = [path[:-1] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert [other for other in others if signer.origin(other) is not None] == [path]
