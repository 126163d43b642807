"""Which addresses are public: the ones that a source may be asked at without leave.

The table stands here because Python's own changed between 3.11.2 and 3.11.9, and because `is_global` looks at none of the
addresses that carry an IPv4 address inside (64:ff9b::7f00:1 is 127.0.0.1 on a network with NAT64).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# IANA's registry of special-purpose IPv4 addresses (RFC 6890) and multicast. Two anycast addresses in 192.0.0.0/24 are
# reachable from everywhere, and serve no posts.
_NOT_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; Linux takes 0.0.0.0 for itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT (RFC 6598), and the metadata of some clouds
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# All global unicast IPv6 lies in 2000::/3 (RFC 4291 §2.4). That leaves out ::/96, fc00::/7, fe80::/10, fec0::/10, ff00::/8,
# 100::/64, 5f00::/16 and 64:ff9b:1::/48, the NAT64 prefix for use within one network (RFC 8215).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_6TO4 = IPv6Network("2002::/16")  # RFC 3056: the IPv4 address follows the prefix
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214 §6.1: the upper half of the interface's identifier


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, seen through what wraps IPv4 in IPv6; False for no address.

    >>> is_public("64:ff9b::7f00:1"), is_public("100.64.0.1"), is_public("2606:4700::6810:84e5")
    (False, False, True)
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        return parsed.scope_id is None and _is_public_v6(parsed)
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if address in _MAPPED or address in _NAT64:
        return _is_public_v4(last)
    if address not in _GLOBAL_UNICAST or any(address in network for network in _NOT_PUBLIC_V6):
        return False
    if address in _6TO4 and not _is_public_v4(IPv4Address(number >> 80 & 0xFFFFFFFF)):
        return False
    return (number >> 32 & 0xFFFFFFFF) not in _ISATAP or _is_public_v4(last)


def literal(host: str) -> str:
    """The address that a host spells, however it spells it; empty for a name.

    What `inet_aton` reads counts, because proxies and the system's look-up read it too: `127.1`, `0177.0.0.1`,
    `0x7f000001`, `2130706433`.

    >>> literal("2130706433"), literal("[::1]"), literal("example.com")
    ('127.0.0.1', '::1', '')
    """
    host = host.strip("[]").rstrip(".")
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            return ""
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if host else ""
    except (OSError, ValueError):
        return ""


def is_private_host(host: str) -> bool:
    """Whether a host is private by its spelling alone, without a look-up: an address that is not public, or `localhost`."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    address = literal(name)
    return bool(address) and not is_public(address)
