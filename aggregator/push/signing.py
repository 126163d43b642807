"""Signatures of pushed documents (WebSub §7.1): a hub shows that it knows the secret of a subscription."""

from __future__ import annotations

import hmac

SIGNATURE = "X-Hub-Signature"
_METHODS = ("sha1", "sha256", "sha384", "sha512")  # §7.1.1; most hubs sign with SHA-1 still


def signature(secret: str, body: bytes, method: str = "sha256") -> str:
    """The value of the signature's header for a body.

    >>> signature("secret", b"body")
    'sha256=dc46983557fea127b43af721467eb9b3fde2338fe3e14f51952aa8478c13d355'
    """
    return f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"


def is_signed(header: str, secret: str, body: bytes) -> bool:
    """Whether a header is the signature of the body with this secret; compared in constant time."""
    method, _, given = header.strip().partition("=")
    method = method.lower()
    if method not in _METHODS or not given.isascii():
        return False
    return hmac.compare_digest(signature(secret, body, method), f"{method}={given.lower()}")
