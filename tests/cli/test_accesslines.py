from __future__ import annotations

import asyncio
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


def test_the_lines_of_one_turn_of_the_loop_go_out_together_in_pieces_that_a_pipe_keeps_whole(capfd, monkeypatch):
    written = []
    monkeypatch.setattr("os.write", lambda _, data: written.append(data))

    async def answer():
        log = access_lines("json")
        for number in range(100):
            log("request", **FIELDS, number=number)
        waiting = len(written)
        await asyncio.sleep(0)
        return waiting

    waiting = asyncio.run(answer())
    lines = b"".join(written).splitlines()
    assert waiting < len(written) < 10  # a full piece does not wait, and the rest came at the end of the turn
    assert [json.loads(line)["number"] for line in lines] == list(range(100))
    assert all(len(piece) <= 4096 and piece.endswith(b"\n") for piece in written)


def test_values_are_escaped_as_json_has_them(capfd):
    access_lines("json")("request", target='/"\\é', ms=0.1, status=200)
    assert json.loads(capfd.readouterr().err) | {"timestamp": ""} == {
        "target": '/"\\é', "ms": 0.1, "status": 200, "event": "request", "level": "info", "timestamp": "",
    }  # fmt: skip


def test_a_line_is_written_at_once_so_that_no_other_comes_between(monkeypatch):
    """PYTHONUNBUFFERED, which containers set, has every write of Python's go out by itself."""
    written = []

    class Unbuffered:
        write, flush, isatty = written.append, staticmethod(lambda: None), staticmethod(lambda: False)

    monkeypatch.setattr("sys.stderr", Unbuffered())
    Log("json").info("one", a=1)
    Log("text").info("two", b=2)
    assert [line[-1] for line in written] == ["\n", "\n"]
