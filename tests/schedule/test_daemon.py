from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aggregator.config.models import Config
from aggregator.schedule.daemon import Daemon


def test_what_is_wrong_is_told_to_anybody_without_the_folders_of_this_machine(write):
    engine: Any = SimpleNamespace(
        config=Config(), check=lambda: "the store sqlite:////srv/acme/a.db is locked by another program"
    )
    log: Any = SimpleNamespace(error=lambda _: None, warning=None)
    daemon = Daemon(write("a.yaml", "sources: []\n"), engine, log=log, notifier=SimpleNamespace())
    assert daemon.problem() == ""
    daemon._upkeep()
    assert daemon.problem() == "the store a.db is locked by another program"
