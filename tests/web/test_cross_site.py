"""Whose pages may change something: the server's own, allowed ones without its cookie, and what is no page at all."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from hilum.web.cross_site import is_cross_site

HOST = {"host": "Hilum.example:8000"}
VIEWER = "https://viewer.example"
OWN = {"origin": "https://hilum.example:8000"}


def refused(headers: dict[str, str], *, method: str = "POST", has_cookie: bool = False) -> bool:
    """Whether a request is, where the viewer's pages are allowed."""
    allowed = frozenset({VIEWER})
    return is_cross_site(method, Headers(HOST | headers), allowed=allowed, has_cookie=has_cookie)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_what_changes_nothing_is_never_refused(method: str) -> None:
    for has_cookie in (False, True):
        assert not refused({"sec-fetch-site": "cross-site"}, method=method, has_cookie=has_cookie)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("has_cookie", [False, True])
def test_another_site_is_refused_and_the_own_one_is_not(method: str, has_cookie: bool) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}):
        assert refused(headers, method=method, has_cookie=has_cookie)
    for headers in ({"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, OWN):
        assert not refused(headers, method=method, has_cookie=has_cookie)


def test_browsers_are_believed_over_an_origin_that_only_looks_right() -> None:
    assert refused(OWN | {"sec-fetch-site": "cross-site"})
    assert not refused({"origin": "https://elsewhere.example", "sec-fetch-site": "same-origin"})


@pytest.mark.parametrize("origin", [VIEWER, "https://Viewer.example"])
def test_an_allowed_site_may_without_the_cookie_and_never_with_it(origin: str) -> None:
    headers = {"origin": origin, "sec-fetch-site": "cross-site"}
    assert not refused(headers)
    assert refused(headers, has_cookie=True)


@pytest.mark.parametrize("origin", ["http://viewer.example", f"{VIEWER}.evil.example", f"{VIEWER}:444"])
def test_what_resembles_an_allowed_site_is_refused(origin: str) -> None:
    assert refused({"origin": origin})


def test_a_request_that_no_browser_sends_may_do_without_headers_and_not_with_a_cookie() -> None:
    assert not refused({})
    assert refused({}, has_cookie=True)
