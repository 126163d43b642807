from __future__ import annotations

import json

from aggregator.cli.handing import run_by_daemon
from aggregator.config.models import Config
from aggregator.errors import LockHeld
from aggregator.pipeline.results import FeedResult, MirrorResult, SourceResult
from aggregator.schedule.handover import Taker
from aggregator.schedule.once import Order


def test_a_run_by_a_daemon_says_what_one_of_its_own_would_have_said(tmp_path, capsys):
    config = Config.model_validate({"store": f"sqlite:///{tmp_path / 'a.db'}"}, context={"folder": tmp_path})

    def do(_file, _order, tell):
        tell.source(SourceResult("blog", new=3))
        tell.mirrored(MirrorResult(40, 2, warnings=["some images are not mirrored"]))
        tell.feed(FeedResult("all", 3, written=("all/rss.xml",)))

    taker = Taker(tmp_path / "a.db.sock", do)
    taker.start()
    for as_json in (False, True):
        held = LockHeld("aggregator daemon, process 7")
        run_by_daemon(tmp_path / "a.yaml", config, Order(), held, as_json=as_json, log_format="text")
        out, err = capsys.readouterr()
        assert "some images are not mirrored" in err
        if as_json:
            assert json.loads(out)["images"]["copied"] == 40
        else:
            assert out.splitlines()[:2] == ["blog: 3 new", "images: 40 mirrored, 2 could not be had"]
    taker.close()
