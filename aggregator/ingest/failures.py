"""What went wrong on the wire, in words that a person can read and that quote no URL."""

from __future__ import annotations

import re
import ssl
from http.client import BadStatusLine, HTTPException, LineTooLong, RemoteDisconnected

import requests
import urllib3

# What the libraries below us raise; everything else is a bug of ours.
WIRE_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError, ValueError)
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")


def root_of(error: BaseException) -> BaseException:
    """What the network or the library said first: everything wrapped around it quotes the URL, token and all."""
    seen = {error}
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        inner = next((arg for arg in (inner, *error.args) if isinstance(arg, BaseException)), None)
        if inner is None or inner in seen:
            return error
        seen.add(inner)
        error = inner


def is_timeout(cause: BaseException) -> bool:
    """Whether a socket's own timeout ended it."""
    return isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError)


def in_words(cause: BaseException) -> str:
    """What went wrong, from the library's or the system's exception."""
    match cause:
        case ssl.SSLCertVerificationError():
            words = f"its certificate is not to be trusted: {cause.verify_message.rstrip('.')}"
        case ssl.SSLError():
            words = f"the TLS connection failed: {(cause.reason or 'no reason given').lower().replace('_', ' ')}"
        case RemoteDisconnected():
            words = "the server closed the connection without an answer"
        case ConnectionError():
            words = f"the connection was lost: {(cause.strerror or 'reset').lower()}"
        case BadStatusLine() | ValueError() if not isinstance(cause, ValueError) or "int()" in str(cause):
            words = "the answer is not HTTP"
        case LineTooLong():
            words = "the answer cannot be read: a line of its head is longer than 65,536 bytes"
        case HTTPException() if "headers" in str(cause):
            words = "the answer cannot be read: it has more than 100 header lines"
        case OSError() if refused := _TUNNEL.search(str(cause)):
            words = f"the proxy answered {refused[1]}"
        case _ if type(cause).__name__ == "IncompleteRead" or "prematurely" in str(cause):
            words = "the body ends in the middle"
        case _:
            words = f"the answer cannot be read ({type(cause).__name__})"
    return words
