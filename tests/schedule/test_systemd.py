from __future__ import annotations

import os
import re
import socket

import pytest

from aggregator.schedule.systemd import Notifier


@pytest.fixture
def manager(tmp_path):
    """A service manager: what it is told comes out of a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(2)
        yield listening


def test_systemd_is_told_that_it_is_ready_that_it_lives_and_that_it_ends(manager):
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"})
    notifier.ready("3 sources")
    assert manager.recv(1000) == b"READY=1\nSTATUS=3 sources"
    notifier.reloading()
    assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(1000))
    notifier.alive()
    assert manager.recv(1000) == b"WATCHDOG=1"
    notifier.stopping()
    assert manager.recv(1000) == b"STOPPING=1"
    assert notifier.watchdog_s == 30


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}, {"NOTIFY_SOCKET": "/nobody/listens"}])
def test_without_a_manager_that_listens_nothing_happens(environment):
    Notifier(environment).ready("well")


def test_a_watchdog_that_watches_somebody_else_is_not_ours():
    assert Notifier({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)}).watchdog_s == 0
    assert Notifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())}).watchdog_s == 1
