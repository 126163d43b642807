import pytest

from aggregator.serve.negotiate import acceptable, language_for


@pytest.mark.parametrize(
    ("header", "first"),
    [
        (None, ""),
        (b"", ""),
        (b"gzip", "gzip"),
        (b"x-gzip", "gzip"),
        (b"GZIP", "gzip"),
        (b"br", "br"),
        (b"gzip, deflate, br", "br"),
        (b"gzip, deflate, br, zstd", "br"),
        (b"gzip;q=1.0, br;q=0.9", "gzip"),
        (b"br;q=0, gzip", "gzip"),
        (b"br ; q=0.001 , gzip ; q=0.002", "gzip"),
        (b"*", "br"),
        (b"*;q=0.5, gzip;q=0", "br"),
        (b"identity", ""),
        (b"identity, gzip;q=0.5", ""),
        (b"gzip;q=0, br;q=0", ""),
        (b"deflate", ""),
        (b"gzip;q=high", ""),
        (b"gzip;q=1.5, br", "br"),
        (b"gzip;q=0.0000", ""),
        (b",,;,=", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_the_best_coding_is_the_one_the_client_likes_most(header, first):
    assert acceptable(header)[0] == first


@pytest.mark.parametrize("header", [b"identity;q=0", b"*;q=0", b"identity;q=0, gzip;q=0, br;q=0"])
def test_who_forbids_everything_or_names_nothing_we_have_gets_it_without_coding(header):
    assert acceptable(header) == ("",)


def test_no_coding_is_left_out_only_where_it_is_forbidden():
    assert acceptable(b"gzip") == ("gzip", "")
    assert acceptable(b"gzip, identity;q=0") == ("gzip",)
    assert acceptable(b"gzip, *;q=0") == ("gzip",)


BOTH = ("en", "zh-CN")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh-CN"),
        ("en", "en"),
        ("zh-Hant-HK", "zh-CN"),
        ("fr, de;q=0.9", "zh-CN"),
        ("fr, *;q=0.1", "zh-CN"),
        ("en;q=0.1, zh;q=0.2", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=2", "zh-CN"),
        (";;,,q=1,=", "zh-CN"),
        ("english", "zh-CN"),
        ("en-" + "x" * 100_000, "en"),
    ],
)
def test_the_language_is_the_one_liked_best(header, language):
    assert language_for(header, BOTH, "zh-CN") == language
