"""Which addresses may be asked without leave."""

import ipaddress

import pytest

from aggregator.ingest.addresses import is_private_host, is_public, literal

PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700::6810:84e5",
    "2a00:1450:4001:82a::200e",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",  # 1.1.1.1 on a network with NAT64, where every host without IPv6 looks like this
    "2002:101:101::1",  # 6to4 of 1.1.1.1
    "2606:4700::5efe:101:101",
]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.10",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible
    "::101:101",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:100.64.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::101:101",  # NAT64 within one network
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:101:101::1",  # Teredo
    "2001:2::1",  # benchmarks
    "2001:10::1",  # ORCHID
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700::5efe:7f00:1",  # ISATAP
    "2606:4700::200:5efe:a00:1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_f2_public_addresses_are_public_however_they_are_wrapped(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_f1_f2_all_other_addresses_are_not(address):
    assert not is_public(address)


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "1.2.3", "1.2.3.4.5", "::1::", "1.1.1.1 ", "０.0.0.0"])
def test_what_is_no_address_is_not_public(text):
    assert not is_public(text)


def test_no_address_is_public_that_python_calls_private_loopback_or_multicast():
    """Python's own table misses some, and differs between its releases, but what it names is right."""
    for number in range(0, 1 << 32, 0x00FEDCBA):
        parsed = ipaddress.IPv4Address(number)
        if is_public(str(parsed)):
            assert parsed.is_global
            assert not any((parsed.is_loopback, parsed.is_multicast, parsed.is_unspecified, parsed.is_link_local))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::ffff:127.0.0.1", "::ffff:7f00:1"),
        ("93.184.216.34", "93.184.216.34"),
        ("example.com", ""),
        ("1.2.3.4.5", ""),
        ("0x7f000001.example", ""),
        ("cafe", ""),
        ("", ""),
        ("[nonsense:]", ""),
    ],
)
def test_f2_a_host_that_spells_an_address_is_known_as_one(host, address):
    assert literal(host) == address


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "0x7f000001",
        "2130706433",
        "127.1",
        "0",
        "[::1]",
        "10.0.0.1",
    ],
)
def test_f2_a_host_may_be_private_by_its_spelling_alone(host):
    assert is_private_host(host)


@pytest.mark.parametrize(
    "host", ["example.com", "mylocalhost", "localhost.example", "1.1.1.1", "0x01010101", "[2606:4700::1]"]
)
def test_a_host_that_needs_a_look_up_is_not_private_by_its_spelling(host):
    assert not is_private_host(host)
