"""Whether a request that changes something was made by a page of another site. Knows headers only.

Browsers say where a request comes from, in headers that pages cannot set: Sec-Fetch-Site, and Origin where that is not
sent (over plain HTTP to another machine). OWASP's Cross-Site Request Forgery Prevention Cheat Sheet names both
("Fetch Metadata headers", "Using standard headers to verify origin").
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OWN = frozenset({"same-origin", "none"})


def is_cross_site(method: str, headers: Headers, *, allowed: frozenset[str], has_cookie: bool) -> bool:
    """Whether the request is to be refused for where it comes from.

    Args:
        method: of the request; one that changes nothing is never refused.
        headers: of the request.
        allowed: origins whose pages may use the API; never with the cookie of another's session.
        has_cookie: whether the browser's cookie lets the request in. A request without any of the headers is then
            refused too: no browser of this decade sends one.
    """
    if method in _SAFE:
        return False
    origin = headers.get("origin")
    if origin is not None and origin.lower() in allowed and not has_cookie:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    if origin is not None:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    return has_cookie
