from __future__ import annotations

import json
import logging

import pytest

from aggregator.cli.logs import Log, hush


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_lines_of_a_trace_hold_no_token_and_forge_no_line(capsys, log_format):
    trace = ["OSError: /srv/private/s3cret/mine/rss.xml", "forged\nline"]
    Log(log_format).error("unexpected OSError", trace=trace, failed=2)
    said = capsys.readouterr().err
    assert "s3cret" not in said
    assert said.count("\n") == 1
    if log_format == "json":
        assert json.loads(said)["trace"] == ["OSError: /srv/private/***/mine/rss.xml", r"forged\nline"]


def test_a_library_that_is_hushed_writes_no_lines_of_its_own(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's
    logging.getLogger("chatty.before").warning("said")
    hush("hushed")
    logging.getLogger("hushed.scheduler").warning("not said")
    assert capsys.readouterr().err == "said\n"
