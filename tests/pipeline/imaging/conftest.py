"""What every test here may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers import Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts a server of images; it ends with the test."""
    servers: list[Server] = []

    def start(answer: Any) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
