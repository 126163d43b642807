"""Every case of conditions and codings, as a transcript that a person can read: `data/transcript.txt`.

`UPDATE_GOLDEN=1` writes it anew. Hashes are shown by what they are of, because zlib's and brotli's bytes differ from version
to version; what belongs to the connection (Date, Connection) is left out.
"""

import hashlib
import os
import re
from pathlib import Path

GOLDEN = Path(__file__).parent / "data" / "transcript.txt"
BODY = b"<rss>" + b"<item>words</item>" * 100 + b"</rss>"
MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT

CASES = [
    ("The whole document", []),
    ("… its head alone", ["-I"]),
    ("gzip", ["Accept-Encoding: gzip"]),
    ("brotli, which is liked as well", ["Accept-Encoding: gzip, deflate, br"]),
    ("gzip, because brotli is liked less", ["Accept-Encoding: gzip, br;q=0.5"]),
    ("No coding, because all are refused", ["Accept-Encoding: *;q=0"]),
    ("Unchanged", ["If-None-Match: <identity>"]),
    ("Unchanged: a proxy made it weak", ["If-None-Match: W/<identity>"]),
    ("Unchanged: in a list", ['If-None-Match: "older", <identity>']),
    ("Unchanged: whatever it is", ["If-None-Match: *"]),
    ("Unchanged: gzip has a tag of its own", ["Accept-Encoding: gzip", "If-None-Match: <gzip>"]),
    ("Another coding is another representation", ["Accept-Encoding: br", "If-None-Match: <gzip>"]),
    ("Malformed, so it matches nothing", ["If-None-Match: older"]),
    ("Unchanged since", ["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]),
    ("Changed since", ["If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT"]),
    ("No date, so it is ignored", ["If-Modified-Since: yesterday"]),
    ("The tag decides, not the date", ['If-None-Match: "older"', "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]),
    ("Only if it is this version: it is", ["If-Match: <identity>"]),
    ("Only if it is this version: a weak tag is not enough", ["If-Match: W/<identity>"]),
    ("Only if it is unchanged since: it is not", ["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"]),
    ("A part", ["Range: bytes=0-4"]),
    ("The end, of the coded bytes", ["Range: bytes=-4", "Accept-Encoding: gzip"]),
    ("A part of this version", ["Range: bytes=0-4", "If-Range: <identity>"]),
    ("A part of an older version: all of this one", ["Range: bytes=0-4", 'If-Range: "older"']),
    ("Two parts: all of it", ["Range: bytes=0-4,10-14"]),
    ("A part that is not there", ["Range: bytes=9999-"]),
    ("Nonsense for a part", ["Range: bytes=nonsense"]),
    ("Another unit is ignored", ["Range: items=0-4"]),
    ("Another method", ["-X DELETE"]),
    ("A browser asks first", ["-X OPTIONS", "Origin: https://reader.example"]),
]


def test_the_transcript_is_what_the_server_says_by_either_way(site, monkeypatch):
    file = site.place.publish("all/rss.xml", BODY)
    os.utime(file, (MODIFIED, MODIFIED))
    tags = {
        coding: site.get("/all/rss.xml", Accept_Encoding=coding).headers["etag"]
        for coding in ("identity", "gzip", "br")
    }
    for is_short in (True, False):
        if not is_short:  # the application answers, and not the protocol
            monkeypatch.setattr(site.documents, "hot", lambda *_: None)
        said = "\n".join(_exchange(site, title, options, tags) for title, options in CASES)
        if os.environ.get("UPDATE_GOLDEN"):
            GOLDEN.parent.mkdir(exist_ok=True)
            GOLDEN.write_text(said)
        assert said == GOLDEN.read_text()


def _exchange(site, title, options, tags):
    method = next((one.split()[-1] for one in options if one.startswith("-X")), "HEAD" if "-I" in options else "GET")
    lines = [f"{method} /all/rss.xml HTTP/1.1", "Host: feeds.example.com", "Connection: close"]
    headers = (option for option in options if not option.startswith("-"))
    lines.extend(re.sub("<(identity|gzip|br)>", lambda match: tags[match[1]], header) for header in headers)
    head, _, body = site.raw("\r\n".join([*lines, "", ""]).encode()).partition(b"\r\n\r\n")
    told = head.decode()
    for coding, tag in tags.items():
        told = told.replace(tag, f"<{coding}>")
    told = re.sub(r"\r\n(?:date|connection): [^\r]*", "", told)  # these belong to the connection
    if "content-encoding" in told:
        told = re.sub(r"content-length: \d{2,}", "content-length: <fewer>", told)
        told = re.sub(r"content-range: bytes \d+-\d+/\d+", "content-range: bytes <the last 4>", told)
        body = b"" if len(body) < 5 else body
    shown = (
        body.decode().strip() if len(body) < 100 and "content-encoding" not in told else f"<{len(body) and 'bytes'}>"
    )
    if body and f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"' in tags.values():
        shown = "<all of it, whose hash is its ETag>"
    curl = " ".join(f"-H '{one}'" if not one.startswith("-") else one for one in options)
    answer = told.replace("\r\n", "\n")
    return (
        f"# {title}\n$ curl -i {curl}{' ' if curl else ''}https://feeds.example.com/all/rss.xml\n{answer}\n\n{shown}\n"
    )
