"""Query strings are taken apart as clients have always had them taken apart."""

from __future__ import annotations

import pytest

from placement_api.query import BadQuery, pairs
from placement_api.query.decoding import MOST_PAIRS


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("", []),
        ("a=b", [("a", "b")]),
        ("a=b&c=d;e=f", [("a", "b"), ("c", "d"), ("e", "f")]),
        ("b=2&a=1&b=1", [("b", "2"), ("a", "1"), ("b", "1")]),
        ("&&a=b&;&", [("a", "b")]),
        ("a&b=", [("a", ""), ("b", "")]),
        ("=b&=", [("", "b"), ("", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d&e=%2B", [("a b", "c d"), ("e", "+")]),
        ("a=%26%3B%3D%25", [("a", "&;=%")]),
        ("%61=%62", [("a", "b")]),
        ("name=%e2%98%83", [("name", "\N{SNOWMAN}")]),
        ("name=%E2%98%83", [("name", "\N{SNOWMAN}")]),
        ("a=%zz%", [("a", "%zz%")]),
        ("a=1%0A", [("a", "1\n")]),
        ("a=in:b,c!d{e}[f]", [("a", "in:b,c!d{e}[f]")]),
    ],
)
def test_a_query_string_is_a_sequence_of_pairs(query_string, expected):
    assert pairs(query_string) == expected


@pytest.mark.parametrize("query_string", ["n=\N{SNOWMAN}", "n=\N{SNOWMAN}%e2%98%83\N{SNOWMAN}"])
def test_bytes_that_were_not_quoted_are_utf_8_as_well(query_string):
    as_wsgi_has_it = query_string.encode().decode("latin-1")
    name = "\N{SNOWMAN}" * (3 if "%" in query_string else 1)
    assert pairs(as_wsgi_has_it) == [("n", name)]


def test_a_character_may_be_half_quoted():
    assert pairs("n=\xe2%98\x83") == [("n", "\N{SNOWMAN}")]


@pytest.mark.parametrize(
    ("query_string", "reason"),
    [
        ("a=%ff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("%ff=a", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("a=\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("a=b%e2%98", "'utf-8' codec can't decode bytes in position 1-2: unexpected end of data"),
        ("a=%ed%a0%80", "'utf-8' codec can't decode byte 0xed in position 0: "),
        ("a=\N{SNOWMAN}", "'latin-1' codec can't encode character"),
        ("a=b%00c", r"'b\x00c' holds a NUL character"),
        ("a=b&b%00=c", r"'b\x00' holds a NUL character"),
        ("a=\0", r"'\x00' holds a NUL character"),
        (f"a={'b' * 1000}%00", f"'{'b' * 100}' holds a NUL character"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(query_string, reason):
    with pytest.raises(BadQuery) as caught:
        pairs(query_string)
    assert caught.value.message.startswith(f"Invalid query string parameters: {reason}")
    assert caught.value.code is None


def test_there_is_a_most_of_parameters():
    query_string = "&".join(f"member_of=%7Bin:{n}+\xc3\xa9" for n in range(MOST_PAIRS))
    found = pairs(query_string)
    assert len(found) == MOST_PAIRS
    assert found[-1] == ("member_of", f"{{in:{MOST_PAIRS - 1} \xe9")
    with pytest.raises(BadQuery) as caught:
        pairs(f"{query_string}&limit=1")
    assert f"{MOST_PAIRS + 1} parameters are more than {MOST_PAIRS}" in caught.value.message
