import pytest

from aggregator.serve.accesslog import AccessLog, shown_target


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/all/rss.xml", "/all/rss.xml"),
        ("/category/%E6%96%B0/rss.xml", "/category/%E6%96%B0/rss.xml"),
        ("/private/s3cret/mine/rss.xml", "/private/***/mine/rss.xml"),
        ("/planet/private/s3cret/mine/", "/planet/private/***/mine/"),
        ("/private/s3cret", "/private/***"),
        ("/private//s3cret/x", "/private/***"),
        ("/%2570rivate/s3cret/x", "/private/***/x"),
        ("/private%252fs3cret/x", "/private/***/x"),
        ("/private\\s3cret", "/private/***"),
        ("/PRIVATE/s3cret/x", "/PRIVATE/***/x"),
        ("/status?token=s3cret", "/status?token=***"),
        ("/status?page=2&token=s3cret&x=1", "/status?page=2&token=***&x=1"),
        ("/status?TOKEN=s3cret", "/status?TOKEN=***"),
        ("/websub/s3cret?hub.mode=subscribe", "/websub/***?hub.mode=subscribe"),
        ("/websub", "/websub"),
        ("/search?q=a\x1b[31mb\r\nc", "/search?q=a%1B[31mb%0D%0Ac"),
        ("/é", "/%C3%A9"),
    ],
)
def test_f16_a_target_is_logged_without_secrets_and_without_anything_a_terminal_obeys(target, shown):
    assert shown_target(target) == shown


@pytest.mark.parametrize(
    "target", ["/%70rivate/s3cret/x", "/status?%74oken=s3cret", "/status?token%3ds3cret", "/%70%72ivate%2fs3cret"]
)
def test_f16_a_secret_is_found_behind_escapes(target):
    assert "s3cret" not in shown_target(target)


def test_a_long_target_is_cut():
    assert len(shown_target("/" + "a" * 5000)) == 501


def test_a_request_is_one_event():
    events = []
    AccessLog(lambda event, **fields: events.append((event, fields)))("GET", "/a b", 200, 5, 0.01234, "192.0.2.1")
    fields = {"method": "GET", "target": "/a%20b", "status": 200, "bytes": 5, "ms": 12.3, "client": "192.0.2.1"}
    assert events == [("request", fields)]
