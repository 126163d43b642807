from __future__ import annotations

import hashlib
import hmac

import pytest

from aggregator.push.signing import is_signed, signature

BODY = b"<feed>\xff</feed>"


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_every_method_of_the_specification_is_known(method):
    given = hmac.new("geheimnis ü".encode(), BODY, method).hexdigest()
    assert is_signed(f"{method}={given}", "geheimnis ü", BODY)
    assert is_signed(f"{method.upper()}={given.upper()}", "geheimnis ü", BODY)
    assert not is_signed(f"{method}={given}", "another", BODY)
    assert not is_signed(f"{method}={given}", "geheimnis ü", BODY + b" ")


def test_we_sign_with_sha256():
    assert signature("s", BODY) == f"sha256={hmac.new(b's', BODY, hashlib.sha256).hexdigest()}"


@pytest.mark.parametrize(
    "header",
    ["", "=", "sha256", "sha256=", "md5=" + "0" * 32, "sha256=é", "sha256=" + "0" * 64, "sha512_256=00", "\0", "a" * 100_000],
)  # fmt: skip
def test_s7_a_signature_that_is_wrong_or_nonsense_is_none(header):
    assert not is_signed(header, "s", BODY)


def test_a_digest_under_another_methods_name_is_none():
    assert not is_signed(f"sha1={hmac.new(b's', BODY, 'sha256').hexdigest()}", "s", BODY)
