from __future__ import annotations

import doctest
import json
import re

from aggregator.cli import accesslines
from aggregator.cli.accesslines import access_lines
from aggregator.cli.logs import Log

FIELDS = {"status": 200, "method": "GET", "target": "/category/%E6%96%B0/rss.xml", "ms": 0.3}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_the_examples_are_true():
    assert doctest.testmod(accesslines).failed == 0


def test_a_line_of_json_has_the_keys_of_every_other_line(capfd):
    access_lines("json")("request", **FIELDS)
    Log("json").info("request", **FIELDS)
    ours, others = map(json.loads, capfd.readouterr().err.splitlines())
    assert list(ours) == list(others)
    assert ours | {"timestamp": ""} == others | {"timestamp": ""}


def test_a_line_for_people_looks_like_every_other_line(capfd):
    access_lines("text")("request", **FIELDS)
    Log("text").info("request", **FIELDS)
    ours, others = _COLOUR.sub("", capfd.readouterr().err).splitlines()
    assert ours.partition(" ")[2] == others.partition(" ")[2]


def test_a_log_that_nobody_reads_stops_nobody(monkeypatch):
    def gone(*_):
        raise BrokenPipeError

    log = access_lines("json")
    monkeypatch.setattr("os.write", gone)
    log("request", **FIELDS)


def test_a_line_is_written_at_once_so_that_no_other_comes_between(monkeypatch):
    """PYTHONUNBUFFERED, which containers set, has every write of Python's go out by itself."""
    written = []

    class Unbuffered:
        write, flush, isatty = written.append, staticmethod(lambda: None), staticmethod(lambda: False)

    monkeypatch.setattr("sys.stderr", Unbuffered())
    Log("json").info("one", a=1)
    Log("text").info("two", b=2)
    assert [line[-1] for line in written] == ["\n", "\n"]
