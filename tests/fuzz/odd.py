"""Odd values: what a text, a number, a header or a body can be and seldom is.

None of them holds a word that an error page must not show. The fuzz takes some of what comes first
here; the rest is for tests that go through all of it.
"""

from __future__ import annotations

from typing import Final

from tests.fuzz import pools

PROVIDER: Final = pools.PROVIDERS[0]

# --- in bodies -----------------------------------------------------------------------------------

TEXTS: Final = (
    *("", " ", "0", "null", "VCPU", "custom_a", "CUSTOM_", "CUSTOM_X", "A" * 256),
    *("\N{LATIN SMALL LETTER E WITH ACUTE}" * 201, "\N{GRINNING FACE}", "\uffff"),
    *("e\N{COMBINING ACUTE ACCENT}", "\N{RIGHT-TO-LEFT MARK}a", "\0", "a\nb", "\r\nx: y"),
    *("<b>&amp;", '"', "'", "%s%n", "{0}", "$x", "\\", "%", "_"),
    *(pools.ABSENT, PROVIDER.replace("-", ""), pools.CONSUMERS[0].upper(), "-" * 36),
)

# Texts that some database takes for the same, cannot hold, or could take for something else.
STORED: Final = (
    *("a", "A", "a ", "a  ", " a", "a\t", "\N{FULLWIDTH LATIN SMALL LETTER A}"),
    *("\N{LATIN SMALL LETTER A WITH ACUTE}", "a\N{COMBINING ACUTE ACCENT}"),
    *("\N{ANGSTROM SIGN}", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "A\u030a"),
    *("\N{LATIN SMALL LETTER SHARP S}", "ss", "\N{LATIN CAPITAL LETTER SHARP S}"),
    *("i", "I", "\N{LATIN SMALL LETTER DOTLESS I}", "\u0130", "\N{LATIN SMALL LIGATURE FI}"),
    *("\N{GREEK SMALL LETTER SIGMA}", "\N{GREEK SMALL LETTER FINAL SIGMA}"),
    *("\N{GRINNING FACE}", "\N{PILE OF POO}", "\U0001f468\u200d\U0001f469", "\U0010ffff"),
    *("\uffff", "\ufffe", "\ufffd", "\ue000", "\ufeff", "\u200b", "\u00ad", "\u2028"),
    *("\N{RIGHT-TO-LEFT MARK}a", "\N{RIGHT-TO-LEFT OVERRIDE}a", "\N{HEBREW LETTER ALEF}a"),
    *("%", "_", "\\", "'", '"', "`", ";--", "%s", "%(x)s", "{name}", "$x", ":x", "?", "null"),
    *("\x01", "\x7f", "\x80", "\n", "\r\n", "<b>x</b>", "&lt;", "#", "/", "..", "a,b", "a:b"),
)
# To be repeated.
CHARACTERS: Final = (
    "x",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "\N{GRINNING FACE}",
    "\uffff",
    "\n",
)

NUMBERS: Final = (
    *(0, -1, 1, 2**31 - 1, 2**31, 2**63, -(2**63), 10**30),
    *(1.0, 0.5, -0.0, 1e-300, 3.4e38, -3.4e38),
)

BODIES: Final = (
    *(b"", b"{", b"null", b"NaN", b'{"name": Infinity}', b"[1e400]", b"1" * 1000),
    *(b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"name": "\\ud800"}', b'{"a": 1, "a": 2}'),
    *(b"[" * 3000, b'{"a":' * 3000),
)

# --- in the request line -------------------------------------------------------------------------

SEGMENTS: Final = ("", "..", "%00", "%ff", "%0d%0aX:y", "a%2fb", "%C3%28", "x" * 300)

MORE_SEGMENTS: Final = (
    *(
        "%ed%a0%80",
        "%c0%80",
        "%f4%90%80%80",
        "%80",
        "%zz",
        "%",
        "%2",
        "%u2603",
        "%2f",
        "%3f",
        "%23",
    ),
    *("%0d%0aSet-Cookie:%20a=b", "%00" * 100, "x" * 100_000, "%f0%9f%98%80" * 300),
    *(PROVIDER.upper(), PROVIDER.replace("-", ""), f"%7B{PROVIDER}%7D", f"urn:uuid:{PROVIDER}"),
    *(f"{PROVIDER}%00", f"{PROVIDER}%20", f"{PROVIDER}%0a", f"%20{PROVIDER}", f"{PROVIDER};a"),
)

PARAMETERS: Final = (
    *("a", "=", "&&;;", "%zz", "%ff=1", "name=%00", "name=%ed%a0%80", "limit=0", "uuid=x"),
)

QUERIES: Final = (
    *("%00", "%00=1", "a=%00", "%", "%=%", "=", "==", "&", ";", "&=&=", "a[]=1", "a.b=1"),
    *("%ff", "name=%c3%28", "name=%f4%90%80%80", "name=\xe9", "\xff\xfe=1", "name=%E2%98"),
    *("a=" + "b" * 1_000_000, "a&" * 10_000, "&".join(f"a{n}=b" for n in range(10_000))),
    *("name=in:" + "A," * 10_000, "required=in:" + "A," * 10_000, "required=" + "!" * 10_000),
    *("resources=" + "VCPU:1," * 10_000, "resources=" + ":" * 10_000, "limit=" + "9" * 10_000),
    *("&".join(["required=!A"] * 10_000), "&".join([f"member_of={PROVIDER}"] * 10_000)),
    *("&".join(f"resources_{n}=VCPU:1" for n in range(10_000)), "resources" + "1" * 10_000),
    *("&".join(f"same_subtree=_{n}" for n in range(10_000)), "same_subtree=" + "_1," * 10_000),
    *("project_id=" + "p" * 256, "project_id=%00", "project_id=p&user_id=", "%0d%0aX:y"),
    *("member_of=in:" + f"{PROVIDER}," * 10_000, "in_tree=" + PROVIDER * 1_000),
)

PARAMETER_VALUES: Final = (
    *("VCPU:0", "VCPU:1:1", "VCPU:", ":1", "VCPU:%2B1", "VCPU:1_0", f"VCPU:{2**63}", "VCPU:1,"),
    *("in:", "!in:", "!", "!!HW_CPU_X86_AVX", "in:!CUSTOM_T", ",", "HW_CPU_X86_AVX,", "NO_SUCH"),
    *(f"{before}{pools.AGGREGATES[0]}" for before in ("in:", "!", "IN:")),
    *("true", "1", "isolate", "9" * 5000, pools.ABSENT, "_1", "_1,_2"),
)

# --- in headers ----------------------------------------------------------------------------------

VERSIONS: Final = (
    *("placement latest", "placement 1.40", "placement 0.9", "placement pony.horse", "placement"),
    *("1.15", "nova 2.1", "placement 1.10, placement 1.15", "nova 2.1, PLACEMENT  1.20", ",,,"),
    *("placement Latest", "placement 1.2.3", "placement 1.", "placement .1", "placement -1.3"),
    f"placement 1.{'9' * 5000}",
)

LENGTHS: Final = ("0", "3", "100000", "hi mom", "5.5", "-1", "9" * 5000, "")

HEADERS: Final = (
    *(("openstack-api-version", text) for text in VERSIONS),
    *(
        ("openstack-api-version", f"placement {text}")
        for text in ("1", "1.1 1", "NaN.1", "\xb9.\xb2")
    ),
    ("openstack-api-version", ",".join(["placement 1.1"] * 10_000)),
    ("openstack-api-version", "\xff" * 1_000),
    *(("content-length", text) for text in (*LENGTHS, "9" * 18, "+1", " 1", "1_0", "0x1", "\xb2")),
    *(("x-auth-token", text) for text in ("\xff\xfe", "x" * 100_000, ":::")),
    *(("x-roles", text) for text in ("\xff,;%00", ",".join(["x"] * 100_000))),
    *(("x-project-id", "\xff"), ("cookie", "\xff" * 1_000), ("content-encoding", "\xff")),
    *(("x-openstack-request-id", text) for text in ("\xff", "req-" + "x" * 100_000)),
    ("content-type", "application/json; charset=" + "x" * 10_000),
    *(("content-type", text) for text in ("\xff/\xff", ";" * 1_000, "application/json\t;")),
)

ACCEPTS: Final = (
    *(
        ",".join(["a/b"] * 10_000),
        "a/b;" + "q=1;" * 10_000,
        "*" * 10_000,
        "\xff",
        "/",
        ",",
        ";",
        "*",
    ),
    *("application/json;q=2", "application/json;q=0.0001", "application/json;q=NaN", "*/json"),
    *('application/json;a="' + "x" * 10_000, "application/json\x0b", "(", "text/html;level=1"),
)
