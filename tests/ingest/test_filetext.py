"""Files in any encoding (HOSTILE rows M5 and P9)."""

import codecs

import pytest

from aggregator.ingest.filetext import decode

TEXT = "---\ntitle: 加装电梯，补绿种绿\n---\n\n居民区一大波实事项目暖人心\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
    ],
    ids=["plain", "mark", "crlf", "cr"],
)
def test_utf_8_is_read_without_a_word(data):
    assert decode(data) == (TEXT, "")


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("gb18030", "GB18030"),
        ("gbk", "GB18030"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
    ],
)
def test_m5_another_encoding_is_recognised_and_said(encoding, named):
    text, warning = decode(TEXT.encode(encoding))
    assert text == TEXT
    assert named in warning


def test_m5_utf_16_that_is_ascii_only_is_valid_utf_8_and_still_recognised():
    assert decode("---\ntitle: a\n---\n".encode("utf-16-le"))[0] == "---\ntitle: a\n---\n"


def test_western_text_is_not_taken_for_chinese():
    assert decode("title: café, résumé, naïve".encode("latin-1"))[0] == "title: café, résumé, naïve"


def test_one_broken_byte_does_not_make_another_encoding_of_a_text():
    text, warning = decode(TEXT.encode()[:-2])
    assert text == TEXT[:-2] + "\ufffd"
    assert "1 bytes" in warning


def test_p9_text_that_only_looks_mis_encoded_is_kept():
    assert decode("Ã©tude".encode()) == ("Ã©tude", "")


@pytest.mark.parametrize("data", [b"", b"\n \n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE], ids=repr)
def test_m5_a_file_without_text_is_empty(data):
    assert decode(data) == (None, "the file is empty")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a PNG image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG image"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF"),
        (bytes(range(256)) * 8, "binary"),
        (bytes(5000), "binary"),
    ],
)
def test_m5_a_binary_file_is_none_and_says_what_it_is(data, kind):
    text, warning = decode(data)
    assert text is None
    assert kind in warning


def test_a_stray_zero_does_not_make_a_text_binary():
    assert decode(b"---\ntitle: a\0b\n---\n" + b"words " * 100)[0].startswith("---\ntitle: a\0b")
