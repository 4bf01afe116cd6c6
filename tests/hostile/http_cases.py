"""Hostile requests, byte by byte, and what each gets: H66 to H95."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import raster_files as img

_BOUNDARY = "b0undary"
_END = f"--{_BOUNDARY}--\r\n".encode()


@dataclass(frozen=True)
class HttpCase:
    """One request.

    Attributes:
        id: its row in the catalogue.
        name: which of the row's requests.
        make: returns its bytes.
        statuses: any of which is right.
        code: of the problem document; None where the answer is none, a page, or the server's own.
    """

    id: str
    name: str
    make: Callable[[], bytes]
    statuses: tuple[int, ...]
    code: str | None = None

    def __str__(self) -> str:
        return f"{self.id}-{self.name}"


def request(target: str, *headers: str, method: str = "GET", host: str = "localhost", body: bytes = b"") -> bytes:
    """A request whose connection ends with its answer."""
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def part(data: bytes, disposition: str = 'form-data; name="file"; filename="slice.png"', extra: str = "") -> bytes:
    """One part of a multipart body."""
    head = f"--{_BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{extra}\r\n"
    return head.encode("latin-1") + data + b"\r\n"


def upload(*parts: bytes, end: bytes = _END, headers: tuple[str, ...] = (), boundary: str = _BOUNDARY) -> bytes:
    """A multipart request of parts."""
    body = b"".join(parts) + end
    kind = f"Content-Type: multipart/form-data; boundary={boundary}"
    return request("/predict", kind, f"Content-Length: {len(body)}", *headers, method="POST", body=body)


def json_body(body: bytes) -> bytes:
    """Feedback on a prediction nobody made."""
    target = "/predictions/00000000-0000-4000-8000-000000000000/feedback"
    length = f"Content-Length: {len(body)}"
    return request(target, "Content-Type: application/json", length, method="POST", body=body)


def in_chunks(*pieces: bytes) -> bytes:
    """A multipart request whose length is not said."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}"
    return request("/predict", kind, "Transfer-Encoding: chunked", method="POST", body=body + b"0\r\n\r\n")


def _json_in_chunks(body: bytes) -> bytes:
    headers = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    return request("/retrain", *headers, method="POST", body=body)


def _chunked(size: int) -> bytes:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    head = part(b"")[:-2]
    first = f"{len(head):x}\r\n".encode() + head + b"\r\n"
    kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}"
    body = first + chunk * (size // 0x10000 + 1) + b"0\r\n\r\n"
    return request("/predict", kind, "Transfer-Encoding: chunked", method="POST", body=body)


def _framing() -> tuple[HttpCase, ...]:
    def post(*headers: str, body: bytes = b"x") -> Callable[[], bytes]:
        kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}"
        return lambda: request("/predict", kind, *headers, method="POST", body=body)

    def five_gb() -> bytes:
        kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}"
        return request("/upload-data", kind, "Content-Length: 5000000000", method="POST", body=part(b"PK\3\4")[:-2])

    whole = part(img.png()) + _END
    return (
        HttpCase("H43", "5-gb-zip", five_gb, (413,), "body-too-large"),
        HttpCase("H66", "4-gb", post("Content-Length: 4294967296"), (413,), "body-too-large"),
        HttpCase("H66", "negative", post("Content-Length: -5"), (400,)),
        HttpCase("H66", "two-lengths", post("Content-Length: 5", "Content-Length: 6", body=b"123456"), (400,)),
        HttpCase("H66", "too-small", post("Content-Length: 40", body=whole), (400,)),
        HttpCase("H67", "chunked-beyond-limit", lambda: _chunked(25_100_000), (413,), "body-too-large"),
        HttpCase("H67", "one-byte-chunks", lambda: in_chunks(part(b"")[:-2], *[b"x"] * 20_000), (400,), "bad-request"),
        HttpCase("H71", "gzip", lambda: upload(part(img.png()), headers=("Content-Encoding: gzip",)), (415,),
                  "content-encoding"),
        HttpCase("H71", "br", lambda: upload(part(img.png()), headers=("Content-Encoding: br",)), (415,),
                  "content-encoding"),
        HttpCase("H71", "deflate-twice", lambda: upload(part(img.png()), headers=("Content-Encoding: deflate, gzip",)),
                  (415,), "content-encoding"),
        HttpCase("H75", "te-list", post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), (400,)),
        HttpCase("H75", "te-unknown", post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), (400,)),
        HttpCase("H75", "length-signed", post("Content-Length: +5", body=b"12345"), (400,)),
        HttpCase("H75", "length-list", post("Content-Length: 5, 5", body=b"12345"), (400,)),
        HttpCase("H75", "bare-cr", lambda: request("/health", "X-A: b\rc"), (400,)),
        HttpCase("H75", "chunk-size", post("Transfer-Encoding: chunked", body=b"ZZ\r\nx"), (400,)),
        HttpCase("H75", "bare-lf-in-head",
                  lambda: b"GET /health HTTP/1.1\nHost: localhost\nConnection: close\n\n", (200,)),
        *(
            HttpCase("H75", f"bare-lf-{name}", lambda body=body: _json_in_chunks(body), (400,), "body-incomplete")  # type: ignore[misc]
            for name, body in (
                ("size", b"2\n{}\r\n0\r\n\r\n"), ("extension", b"2;x\n{}\r\n0\r\n\r\n"),
                ("data", b"2\r\n{}\n0\r\n\r\n"), ("last-size", b"2\r\n{}\r\n0\n\r\n"),
            )
        ),
        HttpCase("H75", "obs-fold", lambda: request("/health", "X-A: b\r\n folded"), (400,)),
        HttpCase("H75", "space-before-colon", lambda: request("/health", "X-A : b"), (400,)),
        HttpCase("H75", "nul-in-header", lambda: request("/health", "X-A: a\x00b"), (400,)),
    )  # fmt: skip


def _multipart() -> tuple[HttpCase, ...]:
    def answer(row: str, name: str, make: Callable[[], bytes], code: str, status: int = 400) -> HttpCase:
        return HttpCase(row, name, make, (status,), code)

    limits, malformed, missing = "multipart-limits", "multipart-malformed", "file-missing"
    text = 'form-data; name="note"'
    return (
        answer("H72", "1001-parts", lambda: upload(part(b"x", text) * 1001), limits),
        answer("H72", "100k-parts", lambda: upload(part(b"x", text) * 100_000), limits),
        answer("H72", "10k-part-headers", lambda: upload(part(b"x", extra="X-A: b\r\n" * 10_000)), limits),
        answer("H72", "field-2mb", lambda: upload(part(bytes(2_000_000), text)), limits),
        answer("H72", "field-name-64k", lambda: upload(part(b"x", f'form-data; name="{"n" * 65_536}"')), limits),
        answer("H72", "filename-9k", lambda: upload(part(b"x", f'form-data; name="file"; filename="{"n" * 9_000}"')),
                limits),
        answer("H73", "no-boundary", lambda: request("/predict", "Content-Type: multipart/form-data",
                "Content-Length: 0", method="POST"), malformed),
        answer("H73", "long-boundary", lambda: upload(part(img.png()), boundary="b" * 71), malformed),
        answer("H73", "other-boundary", lambda: upload(part(img.png()), boundary="other"), malformed),
        answer("H73", "no-end", lambda: upload(part(img.png()), end=b""), malformed),
        answer("H73", "boundary-twice", lambda: upload(part(img.png()), boundary="b0undary; boundary=b"), malformed),
        answer("H73", "boundary-odd", lambda: upload(part(img.png()), boundary="b0und@ary"), malformed),
        HttpCase("H73", "boundary-1-mb", lambda: upload(part(img.png()), boundary="b" * 1_000_000), (400, 431)),
        answer("H73", "two-content-types", lambda: upload(part(img.png()),
                headers=("Content-Type: multipart/form-data; boundary=other",)), malformed),
        answer("H73", "preamble", lambda: upload(b"p" * 1_000_000, part(img.png())), malformed),
        answer("H73", "preamble-behind-empty-line", lambda: upload(b"\r\npreamble ", part(img.png())), malformed),
        answer("H73", "preamble-50mb", lambda: upload(b"p" * 50_000_000, part(img.png())), "body-too-large", 413),
        answer("H73", "preamble-50mb-chunked", lambda: in_chunks(b"p" * 50_000_000, part(img.png()), _END), malformed),
        answer("H73", "epilogue", lambda: upload(part(img.png()), end=_END + b"e" * 1_000_000), malformed),
        answer("H73", "epilogue-of-one-byte", lambda: upload(part(img.png()), end=_END + b"e"), malformed),
        answer("H73", "second-form", lambda: upload(part(img.png()), end=_END + part(b"x") + _END), malformed),
        answer("H73", "epilogue-50mb", lambda: upload(part(img.png()), end=_END + b"e" * 50_000_000),
                "body-too-large", 413),
        answer("H73", "epilogue-50mb-chunked", lambda: in_chunks(part(img.png()), _END, b"e" * 50_000_000), malformed),
        HttpCase("H73", "empty-lines-around", lambda: upload(b"\r\n", part(img.png()), end=_END + b"\r\n"), (200,)),
        answer("H73", "filename-star", lambda: upload(part(img.png(),
                "form-data; name=\"file\"; filename*=UTF-8''a%2fb.png")), malformed),
        answer("H73", "filename-and-star", lambda: upload(part(img.png(),
                "form-data; name=\"file\"; filename=\"a.png\"; filename*=UTF-8''..%2fa.exe")), malformed),
        answer("H73", "filename-twice", lambda: upload(part(img.png(),
                'form-data; name="file"; filename="a.png"; filename="b.exe"')), malformed),
        answer("H73", "boundary-within-a-part", lambda: upload(part(b"\r\n--b0undary\r" * 1_000_000)), malformed),
        answer("H73", "boundary-within-a-part-once", lambda: upload(part(b"a\r\n--b0undaryx")), malformed),
        answer("H73", "name-twice", lambda: upload(part(img.png(),
                'form-data; name="x"; name="file"; filename="a.png"')), malformed),
        answer("H73", "disposition-twice", lambda: upload(part(img.png(),
                extra='Content-Disposition: form-data; name="x"\r\n')), malformed),
        answer("H73", "no-disposition", lambda: upload(b"--b0undary\r\nContent-Type: image/png\r\n\r\nx\r\n",
                part(img.png())), malformed),
        answer("H73", "attachment", lambda: upload(part(img.png(),
                'attachment; name="file"; filename="a.png"')), malformed),
        answer("H73", "crlf-in-filename", lambda: upload(part(img.png(),
                'form-data; name="file"; filename="a\r\nX-Injected: 1\r\n\r\nb.png"')), malformed),
        answer("H73", "lf-in-filename", lambda: upload(part(img.png(),
                'form-data; name="file"; filename="a\nX-Injected: 1"')), malformed),
        answer("H73", "quote-left-open", lambda: upload(part(img.png(),
                'form-data; name="file"; filename="a.png')), malformed),
        answer("H74", "no-file", lambda: upload(part(b"x", text)), missing, 422),
        answer("H74", "two-files", lambda: upload(part(img.png()), part(img.png())), "too-many-files", 422),
        answer("H74", "wrong-field", lambda: upload(part(img.png(), 'form-data; name="image"; filename="a.png"')),
                missing, 422),
        answer("H74", "file-as-text", lambda: upload(part(img.png(), 'form-data; name="file"')), missing, 422),
        answer("H74", "json", lambda: request("/predict", "Content-Type: application/json", "Content-Length: 2",
                method="POST", body=b"{}"), "not-multipart", 415),
    )  # fmt: skip


def _addresses() -> tuple[HttpCase, ...]:
    return (
        HttpCase("H76", "header-1mb", lambda: request("/health", "X-A: " + "a" * 1_000_000), (400, 431)),
        HttpCase("H76", "500-headers", lambda: request("/health", *["X-A: 1"] * 500), (400, 431)),
        HttpCase("H76", "url-64k", lambda: request("/" + "a" * 65_536), (400, 404, 414, 431)),
        HttpCase("H76", "nul", lambda: request("/static/%00"), (404,), "not-found"),
        HttpCase("H76", "dots", lambda: request("/static/%2e%2e/app.py"), (404,), "not-found"),
        HttpCase("H76", "dots-twice-encoded", lambda: request("/static/%252e%252e/app.py"), (404,), "not-found"),
        HttpCase("H78", "put", lambda: request("/predict", "Content-Length: 0", method="PUT"), (405,),
                  "method-not-allowed"),
        HttpCase("H78", "trace", lambda: request("/predict", method="TRACE"), (405,), "method-not-allowed"),
        HttpCase("H78", "unknown-verb", lambda: request("/health", method="BREW"), (405,), "method-not-allowed"),
        HttpCase("H79", "html", lambda: request("/nowhere", "Accept: text/html"), (404,), "not-found"),
        HttpCase("H79", "nothing-acceptable", lambda: request("/nowhere", "Accept: audio/ogg;q=1, */*;q=0"), (404,),
                  "not-found"),
        HttpCase("H80", "host", lambda: request("/health", host="evil.example"), (400,), "host-not-allowed"),
        HttpCase("H80", "forwarded-host", lambda: request("/health", "X-Forwarded-Host: localhost",
                  host="evil.example"), (400,), "host-not-allowed"),
        HttpCase("H80", "no-host", lambda: b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", (400,)),
        HttpCase("H91", "next", lambda: request("/sign-in?next=//evil.example"), (200, 303)),
        HttpCase("H91", "double-slash", lambda: request("//evil.example/%2f.."), (404,), "not-found"),
        HttpCase("H93", "id-dots", lambda: request("/predictions/..%2f..%2fetc%2fpasswd"), (404,)),
        HttpCase("H93", "id-backslashes", lambda: request("/predictions/..%5c..%5cx/receipt"), (404,),
                  "prediction-not-found"),
        HttpCase("H93", "id-4k", lambda: request("/predictions/" + "a" * 4096), (404,), "prediction-not-found"),
        HttpCase("H93", "id-digits", lambda: request("/predictions/%D9%A1%D9%A2"), (404,), "prediction-not-found"),
        HttpCase("H93", "id-not-utf8", lambda: request("/predictions/%ff/slice"), (404,), "prediction-not-found"),
        HttpCase("H93", "model-id", lambda: request("/models/..%2f..%2fx"), (404,)),
        HttpCase("H94", "quote", lambda: request("/predictions?predicted_class=%27%20OR%201=1--"), (200,)),
        HttpCase("H94", "wildcard", lambda: request("/predictions?model_version=%25%25%25"), (200,)),
        HttpCase("H94", "limit", lambda: request("/predictions?limit=1000000000"), (422,), "request-invalid"),
        HttpCase("H94", "cursor", lambda: request("/predictions?cursor=9999999999999999"), (422,), "cursor-invalid"),
        HttpCase("H94", "since", lambda: request("/predictions?since=99999-01-01"), (422,), "request-invalid"),
        HttpCase("H95", "agent", lambda: request("/nowhere", 'User-Agent: {"level":"error"}\x1b[31m' + "a" * 20_000),
                  (400, 404)),
        HttpCase("H95", "path", lambda: request("/a%0d%0a%7b%22level%22%3a%22error%22%7d%1b%5b31m"), (404,),
                  "not-found"),
    )  # fmt: skip


def _json() -> tuple[HttpCase, ...]:
    def answer(name: str, body: Callable[[], bytes], *statuses: int) -> HttpCase:
        return HttpCase("H81", name, lambda: json_body(body()), statuses)

    known = b'{"confirmed_class": "normal"'
    return (
        answer("1-mb", lambda: known + b" " * 1_000_000 + b"}", 413),
        answer("deep", lambda: b'{"confirmed_class": ' + b"[" * 7_000 + b"]" * 7_000 + b"}", 400, 422),
        answer("nan", lambda: b'{"confirmed_class": NaN}', 400, 422),
        answer("huge-number", lambda: b'{"confirmed_class": 1e400}', 400, 422),
        answer("many-digits", lambda: b'{"confirmed_class": ' + b"9" * 15_000 + b"}", 400, 422),
        answer("bom", lambda: b"\xef\xbb\xbf" + known + b"}", 422),
        answer("utf-16", lambda: (known + b"}").decode().encode("utf-16"), 400, 422),
        answer("lone-surrogate", lambda: b'{"confirmed_class": "\\ud800"}', 400, 404, 422),
        answer("twice", lambda: known + b', "confirmed_class": "x"}', 422),
        answer("twice-escaped", lambda: known + b', "confirmed_cl\\u0061ss": "x"}', 422),
        answer("no-object", lambda: b"[]", 422),
        HttpCase("H92", "unknown-field", lambda: json_body(known + b', "callback": "http://169.254.169.254/"}'), (422,),
                  "request-invalid"),
        HttpCase("H92", "file-url", lambda: json_body(b'{"confirmed_class": "file:///etc/passwd"}'), (404, 422)),
    )  # fmt: skip


HTTP_CASES: tuple[HttpCase, ...] = _framing() + _multipart() + _addresses() + _json()
"""Rows of the catalogue that are about requests."""
