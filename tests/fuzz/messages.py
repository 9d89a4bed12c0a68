"""HTTP messages that no client library would send, and with what a service may answer them.

Where the web server refuses one before the application sees it, there is more than one status that
is right. One that is not refused by either asks for a list, or is a write with an old generation,
so that it can be sent any number of times.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from tests.fuzz import pools
from tests.fuzz.calls import ADMIN

_HOST: Final = b"Host: placement\r\n"
_WHO: Final = b"".join(f"{name}: {value}\r\n".encode() for name, value in ADMIN.items())
_TYPE: Final = b"Content-Type: application/json\r\n"
CHUNKED: Final = _TYPE + b"Transfer-Encoding: chunked\r\n"

GET: Final = b"GET /resource_providers HTTP/1.1"
PUT: Final = f"PUT /resource_providers/{pools.PROVIDERS[0]}/inventories HTTP/1.1".encode()
BODY: Final = b'{"resource_provider_generation": -1, "inventories": {}}'
_CHUNKS: Final = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def message(
    line: bytes = GET,
    headers: bytes = b"",
    body: bytes = b"",
    *,
    host: bytes = _HOST,
    length: bytes | None = None,
) -> bytes:
    """A request.

    :param headers: more of them, a line each.
    :param length: the stated length of the body, in place of its own.
    """
    if length is None and body:
        length = str(len(body)).encode()
    if length is not None:
        headers += _TYPE + b"Content-Length: %s\r\n" % length
    return b"%s\r\n%s%s%s\r\n%s" % (line, host, _WHO, headers, body)


def get(target: bytes) -> bytes:
    """A request for something; `target` is what stands in the request line."""
    return message(b"GET %s HTTP/1.1" % target)


Rows = Iterator[tuple[bytes, Collection[int]]]

_OK, _BAD, _STALE = (200,), (400,), (409,)


def _lengths() -> Rows:
    yield message(PUT, _TYPE) + BODY, _BAD
    yield message(PUT, body=BODY, length=b"3"), _BAD
    yield message(PUT, length=b"0"), _BAD
    yield message(PUT, b"Content-Length: 3\r\n", BODY), _BAD
    for length in (b"-3", b"+3", b"x", b"3.0", b"", b"3, 3", b"0x3", b"3_0", b"3 3", b"\xb2"):
        yield message(PUT, body=BODY, length=length), _BAD
    yield message(PUT, body=BODY, length=b"9" * 5000), _BAD
    yield message(PUT, length=b"9" * 18), (413,)


def _chunks() -> Rows:
    yield message(PUT, CHUNKED) + _CHUNKS, _STALE
    yield message(PUT, CHUNKED) + _CHUNKS.replace(b"\r\n", b";a=b\r\n", 1), _STALE
    yield message(PUT, CHUNKED) + _CHUNKS[:-2] + b"X-Auth-Token: nobody\r\n\r\n", _STALE
    yield message(PUT, CHUNKED) + b"0\r\n\r\n", _BAD
    yield message(PUT, CHUNKED + b"Content-Length: 3\r\n") + _CHUNKS, _BAD
    for chunk in (
        b"zz\r\n{}\r\n",
        b"-2\r\n{}\r\n",
        b"0x2\r\n{}\r\n",
        b" 2\r\n{}\r\n",
        b"\r\n{}\r\n",
    ):
        yield message(PUT, CHUNKED) + chunk, _BAD
    for chunk in (b"2 2\r\n{}\r\n", b"2\r\n{}0\r\n\r\n", b"1\r\n{}\r\n0\r\n\r\n"):
        yield message(PUT, CHUNKED) + chunk, _BAD


def _codings() -> Rows:
    # A server that does not know one is to answer with 501 (RFC 9112, section 6.1).
    for coding in (b"cow", b"gzip", b"identity", b"", b"\xff", b"chunked, chunked", b"xchunked"):
        yield message(PUT, b"Transfer-Encoding: %s\r\n" % coding, BODY), (400, 501)
    gzipped = _TYPE + b"Transfer-Encoding: gzip, chunked\r\n"
    yield message(PUT, gzipped) + _CHUNKS, (400, 409, 501)
    yield message(PUT, b"Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0"), (400, 415)
    yield message(PUT, b"Content-Encoding: cow\r\n", BODY), (409, 415)
    odd_charset = b"Content-Type: application/json; charset=cow\r\nContent-Length: 2\r\n"
    yield message(PUT, odd_charset) + b"{}", _BAD
    yield message(PUT, b"Content-Type: text/plain\r\n", BODY), _BAD
    yield message(PUT, b"Expect: 100-continue\r\n", BODY), _STALE
    yield message(PUT, b"Expect: 100-continue\r\n", length=b"9" * 9), (413,)
    yield message(PUT, b"Expect: cows\r\n", BODY), (400, 417)


def _methods() -> Rows:
    for method in (b"get", b"GETT", b"<b>", b"G\0T", b"$STATUS", b"{x}", b"M" * 30, b"M" * 5000):
        yield message(b"%s /resource_providers HTTP/1.1" % method), (400, 405, 501)
    for method in (
        b"TRACE",
        b"CONNECT",
        b"OPTIONS",
        b"PRI",
        b"\xff",
        b"G\xc3\x89T",
        b"%47ET",
        b"",
    ):
        yield message(b"%s /resource_providers HTTP/1.1" % method), (400, 405, 501)
    yield message(b"OPTIONS * HTTP/1.1"), (400, 404, 405)


def _targets() -> Rows:
    yield get(b"http://evil.example/resource_providers"), _OK
    yield get(b"http://evil.example"), (200, 400)
    yield get(b"http://[::1/traits"), _BAD
    yield get(b"http://h:99999999/nothing"), (400, 404)
    yield get(b"//evil.example/traits"), (400, 404)
    for target in (b"traits", b"/traits/a b", b"*", b""):
        yield get(target), _BAD
    yield get(b"/traits#x"), (200, 400)
    for segment in (b"\xff\xfe", "\N{SNOWMAN}".encode(), b"\0"):
        yield get(b"/traits/" + segment), (400, 404)
    yield get(b"/traits/a%0d%0aX-Evil:%20a"), (404,)
    yield get(b"/resource_providers?name=%0d%0aX-Evil:%20a"), _OK
    yield get(b"/usages?project_id=%ff"), _BAD
    yield get(b"/traits/" + b"a" * 8_000), (404,)
    yield get(b"/traits/" + b"a" * 9_000), (414,)
    yield get(b"/traits/" + b"a" * 2**20), (414,)
    yield get(b"/resource_providers?" + b"a&" * 4_000), _BAD
    yield get(b"/resource_providers?" + b"a=b&" * 10_000), (414,)


def _versions() -> Rows:
    yield b"GET /traits\r\n\r\n", _BAD
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)
    for version in (b"HTTP/9.9", b"HTTP/1.10", b"HTTP/-1", b"http/1.1", b"HTTX/1.1", b"HTTP/1.1 "):
        yield message(b"GET / " + version), (400, 505)
    yield message(b"GET\t/traits\tHTTP/1.1"), _BAD
    yield b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + message(), _BAD
    yield random.Random(2).randbytes(3_000).replace(b"\n", b"") + b"\r\n\r\n", _BAD


def _headers() -> Rows:
    yield message(headers=b"Host: other\r\n"), _BAD
    yield message(host=b'Host: a b"<>:\xff\r\n'), (200, 400)
    yield message(host=b""), (200, 400)
    for line in (b"X-A: \0", b"X-A: a\rb", b"X-A: \x01", b"cow", b": a", b"X-A : a", b"X\xff: a"):
        yield message(headers=line + b"\r\n"), _BAD
    yield message(headers=b"X-A: a\r\n b\r\n"), _BAD
    yield message(headers=b"X-A: \xff\xfe\r\n"), (200, 400)
    yield message(headers=b"X-A: %s\r\n" % (b"a" * 8_000)), _OK
    yield message(headers=b"X-A: %s\r\n" % (b"a" * 9_000)), (431,)
    yield message(headers=b"X-A: %s\r\n" % (b"a" * 2**20)), (431,)
    yield message(headers=b"X-A: a\r\n" * 500), (431,)
    # Whoever says these is no proxy of ours.
    yield message(headers=b"SCRIPT_NAME: /x\r\n"), (200, 400)
    yield message(headers=b"PATH_INFO: /x\r\n"), (200, 400)
    yield message(headers=b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n"), _OK
    http2 = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n"
    yield message(headers=http2), _OK
    yield message(headers=b"Upgrade: websocket\r\nConnection: upgrade\r\n"), _OK
    yield message(headers=b"Connection: close, keep-alive, cow\r\n"), _OK
    yield message(headers=b"Accept: \xff;;;q=,,/*/\r\n"), _OK


def _named() -> Iterator[tuple[str, tuple[bytes, Collection[int]]]]:
    for make in (_lengths, _chunks, _codings, _methods, _targets, _versions, _headers):
        for number, row in enumerate(make()):
            yield f"{make.__name__.strip('_')}-{number}", row


# Name, message, statuses.
MESSAGES: Final[Mapping[str, tuple[bytes, Collection[int]]]] = dict(_named())

# What a client has sent when it gives up, or falls silent.
HALVES: Final = (
    *(b"", b"\r\n", b"G", GET, GET + b"\r\n" + _HOST + b"X-A", message()[:-2]),
    *(message(PUT, body=BODY)[: -len(BODY)], message(PUT, body=BODY)[:-5]),
    *(message(PUT, CHUNKED), message(PUT, CHUNKED) + b"100", message(PUT, CHUNKED) + b"9\r\n{}"),
    message(PUT, CHUNKED) + b"f" * 40 + b"\r\n{}",
    # The beginning of TLS.
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\0" * 150,
)
