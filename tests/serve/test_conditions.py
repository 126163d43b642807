import pytest

from aggregator.serve.conditions import Ask, asked, chosen_range, precondition

ETAG = b'"abc"'
MODIFIED = 784111777
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
LATER = b"Sun, 06 Nov 1994 08:49:38 GMT"
EARLIER = b"Sun, 06 Nov 1994 08:49:36 GMT"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b'"abc"', 304),
        (b'W/"abc"', 304),
        (b'"x", W/"y","abc"', 304),
        (b"*", 304),
        (b" * ", 304),
        (b'"abd"', 200),
        (b"abc", 200),
        (b'"abc', 200),
        (b'w/"abd"', 200),
        (b'"a,bc", "*"', 200),
        (b"", 200),
        (b"\xff\x00", 200),
    ],
)
def test_s2_if_none_match_compares_weakly_and_reads_lists(header, status):
    assert precondition(Ask(if_none_match=header), ETAG, MODIFIED) == status


@pytest.mark.parametrize(
    ("header", "status"), [(b'"abc"', 200), (b"*", 200), (b'"x", "abc"', 200), (b'W/"abc"', 412), (b'"x"', 412), (b"abc", 412)]
)  # fmt: skip
def test_s2_if_match_compares_strongly(header, status):
    assert precondition(Ask(if_match=header), ETAG, MODIFIED) == status


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (DATE, 304),
        (LATER, 304),
        (EARLIER, 200),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 304),
        (b"Sun Nov  6 08:49:37 1994", 304),
        (b"yesterday", 200),
        (b"784111777", 200),
        (b"Sun, 06 Nov 1994 08:49:37 +0200", 200),
        (b"Sun, 99 Foo 1994 08:49:37 GMT", 200),
        (b"", 200),
    ],
)
def test_s2_if_modified_since_reads_all_three_forms_and_ignores_the_rest(since, status):
    assert precondition(Ask(if_modified_since=since), ETAG, MODIFIED) == status


def test_s2_if_none_match_has_precedence_over_if_modified_since():
    assert precondition(Ask(if_none_match=b'"x"', if_modified_since=LATER), ETAG, MODIFIED) == 200
    assert precondition(Ask(if_none_match=ETAG, if_modified_since=EARLIER), ETAG, MODIFIED) == 304


def test_s2_if_match_has_precedence_over_if_unmodified_since_and_both_over_if_none_match():
    assert precondition(Ask(if_match=ETAG, if_unmodified_since=EARLIER), ETAG, MODIFIED) == 200
    assert precondition(Ask(if_match=b'"x"', if_none_match=ETAG), ETAG, MODIFIED) == 412
    assert precondition(Ask(if_unmodified_since=EARLIER, if_none_match=ETAG), ETAG, MODIFIED) == 412
    assert precondition(Ask(if_unmodified_since=DATE, if_none_match=ETAG), ETAG, MODIFIED) == 304


def test_dates_say_nothing_while_the_version_has_none():
    """Within a second there may be two versions (RFC 9110 §8.8.2.2)."""
    assert precondition(Ask(if_modified_since=LATER), ETAG, None) == 200
    assert precondition(Ask(if_unmodified_since=EARLIER), ETAG, None) == 200


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=2-4", (2, 5)),
        (b"BYTES=2-", (2, 10)),
        (b"bytes=-3", (7, 10)),
        (b"bytes=-99", (0, 10)),
        (b"bytes=5-99999", (5, 10)),
        (b"bytes=0-1,4-5", None),
        (b"items=0-1", None),
        (b"bytes", None),
        (b"bytes=10-", 416),
        (b"bytes=-0", 416),
        (b"bytes=4-2", 416),
        (b"bytes=nonsense", 416),
        (b"bytes=", 416),
        (b"bytes=--1", 416),
        (b"bytes=1-2-3", 416),
        (b"bytes=0x1-2", 416),
        (b"bytes=" + b"9" * 5000 + b"-", 416),
    ],
)
def test_s1_a_range_is_cut_ignored_or_refused(header, wanted):
    assert chosen_range(Ask(range=header), 10, ETAG, MODIFIED) == wanted


@pytest.mark.parametrize(
    ("if_range", "wanted"),
    [(ETAG, (0, 1)), (b'W/"abc"', None), (b'"x"', None), (DATE, (0, 1)), (LATER, None), (EARLIER, None), (b"?", None)],
)
def test_if_range_wants_this_very_version(if_range, wanted):
    assert chosen_range(Ask(range=b"bytes=0-0", if_range=if_range), 10, ETAG, MODIFIED) == wanted


def test_a_head_knows_no_ranges_and_an_empty_document_has_none():
    assert chosen_range(Ask(is_head=True, range=b"bytes=0-0"), 10, ETAG, MODIFIED) is None
    assert chosen_range(Ask(range=b"bytes=0-"), 0, ETAG, MODIFIED) == 416


def test_a_header_that_stands_there_twice_is_one_list():
    ask = asked(b"GET", [(b"if-none-match", b'"x"'), (b"host", b"h"), (b"if-none-match", ETAG)])
    assert ask == Ask(if_none_match=b'"x", "abc"')
