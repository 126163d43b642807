"""What systemd is told of a daemon, where it runs under it: sd_notify(3), a datagram to the socket that it names."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Tells the service manager how things stand; without one, nothing happens."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # `@` stands for the NUL of an abstract socket; anything else but a path is a kind that we do not speak.
        self._address = "\0" + address[1:] if address.startswith("@") else address if address.startswith("/") else ""
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        wanted = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(wanted) / 1_000_000 if is_ours and wanted.isdecimal() else 0.0

    def ready(self, status: str) -> None:
        """It works, or works again after a reload."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """It reads its configuration; `ready` ends that. The moment is what `Type=notify-reload` wants to know."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """It finishes what it does, and ends."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """It is well; to be said at least twice within `watchdog_s`, or systemd starts it anew."""
        if self.watchdog_s:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(message.encode(), self._address)  # who does not listen need not know
