#!/usr/bin/env python3
"""The CPU time of an HTTPS request to a host not asked before, against a plain `requests.get`.

    tls_vs_requests.py [--hosts 200] [--rounds 3]

Both sides ask a server on the loopback by as many names as there are hosts, one after the other, in a process of their
own, whose CPU time from the end of the imports to the last answer is what counts. They trust the same authorities:
certifi's and the one made for this. Both find the names at 127.0.0.1: ours is given another resolver, requests gets
one in place of the system's. Before that, our fetcher must refuse an authority that it does not know, and a
certificate for another name.
Exit code 0: the budget holds · 1: it does not, or a side failed.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import feedserver
import timing

BUDGET = 0.2  # of the CPU time of requests
DOMAIN = "feeds.example"
STRANGER = "feeds.invalid"  # a name that the certificate is not for


def resolve(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
    """What `socket.getaddrinfo` says, for whom every name is this machine."""
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


def names(hosts: int) -> list[str]:
    """The names that are asked, each of them once."""
    return [f"host{number}.{DOMAIN}" for number in range(hosts)]


def ask_requests(port: int, bundle: str) -> Callable[[str], int]:
    """How requests is used: the function that asks a host and returns the size of what it sent."""
    import requests  # noqa: PLC0415

    socket.getaddrinfo = resolve  # type: ignore[assignment]  # it is never asked for an IPv6 address
    return lambda host: len(requests.get(f"https://{host}:{port}/feed.xml", verify=bundle, timeout=30).content)


def ask_ours(port: int, bundle: str) -> Callable[[str], int]:
    """How our fetcher is used: the function that asks a host and returns the size of what it sent."""
    from aggregator.ingest.http import Fetcher, Terms  # noqa: PLC0415
    from aggregator.models import Fetched  # noqa: PLC0415

    fetcher = Fetcher("bench", pool=32, resolve=resolve)
    terms = Terms(allow_private=True, ca_bundle=bundle)

    def ask(host: str) -> int:
        answer = fetcher.get(f"https://{host}:{port}/feed.xml", terms)
        assert isinstance(answer, Fetched)
        return len(answer.body)

    return ask


SIDES = {"ours": ask_ours, "requests": ask_requests}


def run_side(side: str, port: int, bundle: str, hosts: int) -> None:
    """One side, in the process that was started for it: prints its seconds and what it got."""
    ask = SIDES[side](port, bundle)
    begin, cpu = time.perf_counter(), time.process_time()
    received = sum(ask(host) for host in names(hosts))
    print(
        json.dumps(
            {"wall_s": time.perf_counter() - begin, "cpu_s": time.process_time() - cpu, "bytes": received / hosts}
        )
    )


class Bench:
    """The server, and a folder with the authorities that both sides trust."""

    def __init__(self, folder: Path) -> None:
        import certifi  # noqa: PLC0415
        import trustme  # noqa: PLC0415

        authority = trustme.CA()
        certificate = folder / "server.pem"
        authority.issue_cert(f"*.{DOMAIN}").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        self.public = certifi.where()
        self.bundle = str(folder / "authorities.pem")
        Path(self.bundle).write_bytes(Path(self.public).read_bytes() + b"\n" + authority.cert_pem.bytes())
        self.server = feedserver.FeedServer("--feeds=1", "--latency=0", f"--certificate={certificate}")

    def run(self, side: str, hosts: int) -> dict[str, float]:
        """One side in a fresh process; exits where the server did not answer it as often as it should."""
        command = [sys.executable, __file__, "--side", side, str(self.server.port), self.bundle, "--hosts", str(hosts)]
        process = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        counts = self.server.tell("counts")
        if process.returncode or counts != {"200": hosts}:
            sys.exit(f"{side} ended with {process.returncode}, and the answers were {counts}")
        found: dict[str, float] = json.loads(process.stdout)
        return found

    def refusals(self) -> dict[str, str]:
        """What our fetcher says of a certificate that must be refused; exits where it takes one."""
        from aggregator.errors import FetchError  # noqa: PLC0415

        said = {}
        attempts = {
            "an unknown authority": (self.public, names(1)[0]),
            "another name": (self.bundle, STRANGER),
        }
        for what, (bundle, host) in attempts.items():
            try:
                ask_ours(self.server.port, bundle)(host)
            except FetchError as error:
                said[what] = str(error)
            else:
                sys.exit(f"our fetcher took a certificate of {what}")
            if "certificate" not in said[what]:
                sys.exit(f"our fetcher refused {what} for another reason: {said[what]}")
        if counts := self.server.tell("counts"):
            sys.exit(f"our fetcher refused, and still asked: {counts}")
        return said


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side, port, bundle = arguments.side
        run_side(side, int(port), bundle, arguments.hosts)
        return 0
    with tempfile.TemporaryDirectory(prefix="aggregator-bench-") as scratch:
        bench = Bench(Path(scratch))
        with bench.server:
            refused = bench.refusals()
            samples: dict[str, list[dict[str, float]]] = {"requests": [], "ours": []}
            for _ in range(arguments.rounds):
                for side, taken in samples.items():
                    taken.append(bench.run(side, arguments.hosts))
    cpu_ms = {
        side: statistics.median(one["cpu_s"] for one in taken) / arguments.hosts * 1000
        for side, taken in samples.items()
    }
    ratio = cpu_ms["ours"] / cpu_ms["requests"]
    size = samples["ours"][0]["bytes"]
    print(f"{arguments.hosts} hosts asked once each over TLS, {size:,.0f} bytes each · {timing.machine()}")
    print(f"CPU of the client, median of {arguments.rounds} rounds, both sides in turn\n")
    print(f"ours {cpu_ms['ours']:.2f} ms · requests {cpu_ms['requests']:.2f} ms a request", end=" · ")
    print(f"ratio {ratio:.3f} · budget ≤ {BUDGET:.2f} · {'within' if ratio <= BUDGET else 'OVER'}")
    for what, said in refused.items():
        print(f"refused {what}: {said}")
    return 0 if ratio <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
