"""Who is let in, and who is not: keys, roles, sessions, other sites, limits, the audit log; on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from web_serving import HOSTS, open_history, tiny_service

from hilum.services import key_ring
from hilum.services.access import Access, AccessRules
from hilum.services.audit_log import AuditLog, export, verify
from hilum.services.keys import Role, create_key, revoke_key
from hilum.storage.database import Database
from hilum.storage.schema import upgrade
from hilum.web import auth
from hilum.web.access_table import ACCESS, PUBLIC, check_table, need_of, routes_of
from hilum.web.app import create_app
from hilum.web.auth import check_guarded

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
OWN_PAGE = {"sec-fetch-site": "same-origin"}
ELSEWHERE = {"origin": "https://viewer.example"}


@dataclass
class Guarded:
    """An app that asks for keys, and the database behind it."""

    bundle: Path
    url: str
    folder: Path
    database: Database
    stack: ExitStack = field(default_factory=ExitStack)

    def serve(self, rules: AccessRules | None = None, **others: Any) -> TestClient:
        """A client of one more server over the same database."""
        audit = AuditLog(Database(self.url))
        history = open_history(self.url, self.folder, is_audited=True)
        access = Access(Database(self.url), rules, audit=audit)
        service = tiny_service(self.bundle)
        app = create_app(service, history=history, access=access, audit=audit, allowed_hosts=HOSTS, **others)
        client = self.stack.enter_context(TestClient(app, base_url="http://localhost", follow_redirects=False))
        service.loaded.wait(10)
        return client

    def key(self, role: Role = Role.PREDICT, **others: Any) -> str:
        """A new key."""
        return create_key(self.database, "test", role, **others).token

    def events(self) -> list[tuple[str, str, str]]:
        """Kind, actor and subject of what the audit log holds."""
        return [(event.kind, event.actor, event.subject) for event in export(self.database)]


@pytest.fixture
def guarded(tiny_bundle: Path, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """A database without keys, on each kind in turn."""
    monkeypatch.setattr(key_ring, "_LEAST_BETWEEN_S", 0.01)
    database = Database(database_url)
    upgrade(database)
    made = Guarded(tiny_bundle, database_url, tmp_path / "blobs", database)
    with made.stack:
        yield made
    database.close()


def bearer(token: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"authorization": f"Bearer {token}"}


def refused(response: Any) -> tuple[int, str]:
    """Status and code of a problem."""
    return response.status_code, response.json()["code"]


def test_no_route_answers_without_credentials_unless_it_is_declared_public(guarded: Guarded) -> None:
    client = guarded.serve()
    routes = set(routes_of(client.app.routes))  # type: ignore[attr-defined]
    assert len(routes) >= 24
    assert {path for path, _ in routes} == set(ACCESS)

    for path in ACCESS:
        address = path.replace("{", "").replace("}", "") + ("/css/base.css" if path == "/static" else "")
        row = ACCESS[path]
        for method in METHODS:
            answer = client.request(method, address, headers={"accept": "application/json"})
            is_public = row[method] is PUBLIC if method in row else all(role is PUBLIC for role in row.values())
            if is_public:
                assert answer.status_code not in {401, 403}, (method, path)
                continue
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == 'Bearer realm="hilum"'
            if method != "HEAD":
                assert refused(answer) == (401, "credentials-missing")
    assert {path for path, row in ACCESS.items() if PUBLIC in row.values()} == {
        "/sign-in", "/sessions", "/static", "/docs", "/openapi.json", "/problems", "/problems/{slug}",
        "/health", "/health/live", "/health/ready",
    }  # fmt: skip


def test_an_unknown_address_tells_strangers_nothing(guarded: Guarded) -> None:
    client = guarded.serve()

    for address in ("/nope", "/predictions/", "//predict", "/static", "/PREDICT", "/predict%2f", "/static/../metrics"):
        assert client.get(address).status_code in {401, 404}, address
    assert refused(client.get("/nope")) == (401, "credentials-missing")
    assert refused(client.get("/nope", headers=bearer(guarded.key()))) == (404, "not-found")


def test_a_strangers_browser_is_shown_where_to_sign_in(guarded: Guarded) -> None:
    page = guarded.serve().get("/models/none", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert page.headers["www-authenticate"].startswith("Bearer")
    assert 'href="/sign-in"' in page.text


def test_an_app_with_a_route_that_declares_no_role_is_not_made(guarded: Guarded) -> None:
    app = guarded.serve().app
    check_table(app.routes)  # type: ignore[attr-defined]

    @app.get("/leak")  # type: ignore[attr-defined,untyped-decorator]
    async def leak() -> str:
        return "secret"

    with pytest.raises(RuntimeError, match="GET /leak has no row"):
        check_table(app.routes)  # type: ignore[attr-defined]
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    assert refused(client.get("/leak", headers=bearer(guarded.key(Role.ADMINISTER)))) == (500, "internal-error")


def test_an_app_with_a_route_that_would_not_ask_the_guard_is_not_made(guarded: Guarded) -> None:
    app = guarded.serve().app
    check_guarded(app.routes)  # type: ignore[attr-defined]
    router = APIRouter()

    @router.get("/leak")
    async def leak() -> str:
        return "secret"

    app.include_router(router)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=r"\['/leak'\]"):
        check_guarded(app.routes)  # type: ignore[attr-defined]


def test_a_route_does_not_answer_what_was_let_in_as_another(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    app = guarded.serve().app
    monkeypatch.setattr(auth, "need_of", lambda method, path: need_of("GET", "/health/live"))
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)

    assert client.get("/health/live").status_code == 200
    assert refused(client.get("/metrics")) == (500, "internal-error")
    assert refused(client.post("/predict")) == (500, "internal-error")


@pytest.mark.parametrize(
    ("role", "allowed"), [(Role.PREDICT, {Role.PREDICT}), (Role.ANNOTATE, {Role.PREDICT, Role.ANNOTATE})]
)
def test_a_role_reaches_as_far_as_the_table_says(guarded: Guarded, role: Role, allowed: set[Role]) -> None:
    client = guarded.serve()
    headers = bearer(guarded.key(role)) | {"accept": "application/json"}

    for path, row in ACCESS.items():
        for method, needed in row.items():
            answer = client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
            is_refused = answer.status_code == 403
            assert is_refused == (needed is not PUBLIC and needed not in allowed), (method, path)
            if is_refused:
                assert answer.json()["code"] == "role-insufficient"
                assert "insufficient_scope" in answer.headers["www-authenticate"]


def test_a_key_that_is_none_is_refused(guarded: Guarded) -> None:
    client = guarded.serve()
    good = guarded.key()
    expired = guarded.key(expires_in=timedelta(seconds=-1))
    assert client.get("/limits", headers=bearer(good)).status_code == 200

    for token in (expired, good[:-1] + ("A" if good[-1] != "A" else "B"), good + "A", "nonsense", "ä"):
        answer = client.get("/limits", headers={"authorization": f"Bearer {token}".encode()})
        assert refused(answer) == (401, "key-invalid")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert token not in answer.text
    for authorization in ("", "Bearer", "Bearer ", f"Basic {good}", good):
        assert refused(client.get("/limits", headers={"authorization": authorization})) == (401, "key-invalid")


def test_a_key_in_the_address_is_refused_and_not_repeated(guarded: Guarded) -> None:
    client, key = guarded.serve(), guarded.key()

    for headers in ({}, bearer(key)):
        answer = client.get("/limits", params={"key": key}, headers=headers)
        assert refused(answer) == (400, "key-in-query")
        assert key not in answer.text


def test_a_revoked_key_is_refused_within_seconds_on_every_server(guarded: Guarded) -> None:
    first, second = guarded.serve(), guarded.serve()
    key = guarded.key()
    for client in (first, second):
        assert client.get("/limits", headers=bearer(key)).status_code == 200

    assert revoke_key(guarded.database, key[6:14])
    deadline = time.monotonic() + 20  # two seconds, on a machine that has time
    for client in (first, second):
        while client.get("/limits", headers=bearer(key)).status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert refused(client.get("/limits", headers=bearer(key))) == (401, "key-invalid")


def test_a_database_that_is_gone_keeps_known_keys_in_force(
    guarded: Guarded, slice_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, known, unknown = guarded.serve(), guarded.key(), guarded.key()
    assert client.get("/limits", headers=bearer(known)).status_code == 200

    def fail(*_: object) -> None:
        raise OSError("gone")

    ring = client.app.state.context.access._ring  # type: ignore[attr-defined]
    monkeypatch.setattr(key_ring.keys, "find_all", fail)
    ring.renew()
    assert ring.trouble is not None
    new = guarded.database and "hilum_0123abcd_" + "A" * 43
    answer = client.post("/predict", headers=bearer(known), files={"file": ("a.png", slice_png)})
    assert answer.status_code == 200
    assert refused(client.get("/limits", headers=bearer(new))) == (503, "access-unavailable")
    elsewhere = {"cookie": "hilum-session=opened-on-another-server"}
    assert refused(client.get("/limits", headers=elsewhere)) == (503, "access-unavailable")
    monkeypatch.undo()
    ring.renew()
    assert client.get("/limits", headers=elsewhere).status_code == 401
    assert client.get("/limits", headers=bearer(unknown)).status_code == 200
    assert refused(client.get("/limits", headers=bearer(new))) == (401, "key-invalid")


def test_when_a_key_was_used_is_kept_coarsely(guarded: Guarded) -> None:
    client, key = guarded.serve(), guarded.key()
    client.get("/limits", headers=bearer(key))
    ring = client.app.state.context.access._ring  # type: ignore[attr-defined]
    ring._keep_uses()

    with guarded.database.reading() as connection:
        (kept,) = key_ring.keys.find_all(connection)
    assert kept.last_used_at is not None
    assert kept.digest not in key
    assert key not in str(kept)


def test_signing_in_sets_a_cookie_that_scripts_cannot_read(guarded: Guarded) -> None:
    client, key = guarded.serve(), guarded.key(Role.ANNOTATE)
    page = {"accept": "text/html,*/*;q=0.8"}
    assert client.get("/", headers=page).headers["location"] == "/sign-in"
    assert "API key" in client.get("/sign-in", headers=page).text

    answer = client.post("/sessions", json={"key": f" {key}\n"}, headers=OWN_PAGE)
    assert (answer.status_code, answer.content) == (204, b"")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("hilum-session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert key not in cookie
    assert client.get("/sign-in", headers=page).headers["location"] == "/"
    assert 'id="sign-out"' in client.get("/", headers=page).text
    assert client.get("/predictions").status_code == 200

    assert client.delete("/sessions/current", headers=OWN_PAGE).status_code == 204
    client.cookies.set("hilum-session", cookie.split(";")[0].split("=")[1], domain="localhost.local")
    assert refused(client.get("/limits")) == (401, "credentials-missing")


def test_behind_tls_the_cookie_is_for_tls_only(guarded: Guarded) -> None:
    client, key = guarded.serve(), guarded.key()
    tls = {"x-forwarded-proto": "https"}
    cookie = client.post("/sessions", json={"key": key}, headers=tls).headers["set-cookie"]

    assert cookie.startswith("__Host-hilum-session=")
    assert "Secure" in cookie.split("; ")
    value = cookie.split(";")[0].split("=")[1]
    client.cookies.clear()
    assert client.get("/limits", headers=tls | {"cookie": f"__Host-hilum-session={value}"}).status_code == 200
    assert client.get("/limits", headers=tls | {"cookie": f"hilum-session={value}"}).status_code == 401


def test_a_session_holds_at_once_at_every_server(guarded: Guarded) -> None:
    here, there = guarded.serve(), guarded.serve()
    key = guarded.key()
    assert there.get("/limits", headers=bearer(key)).status_code == 200  # keys and sessions are read there now
    here.post("/sessions", json={"key": key})
    there.cookies.update(here.cookies)
    assert there.get("/limits").status_code == 200


def test_sessions_end_with_time_and_with_their_key(guarded: Guarded) -> None:
    client = guarded.serve(AccessRules(session_time=timedelta(0)))
    key = guarded.key()
    client.post("/sessions", json={"key": key})
    assert client.get("/limits").status_code == 401

    client = guarded.serve()
    client.post("/sessions", json={"key": key})
    assert client.get("/limits").status_code == 200
    revoke_key(guarded.database, key[6:14])
    client.app.state.context.access._ring.renew()  # type: ignore[attr-defined]
    assert client.get("/limits").status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"key": "hilum_00000000_" + "A" * 43}, 401, "key-invalid"),
        ({"key": "nonsense"}, 401, "key-invalid"),
        ({"key": ""}, 422, "request-invalid"),
        ({"key": "secret" * 100}, 422, "request-invalid"),
        ({"key": "a", "next": "//evil.example"}, 422, "request-invalid"),
        (["a"], 422, "request-invalid"),
    ],
)
def test_a_refused_sign_in_sets_no_cookie_and_repeats_nothing(
    guarded: Guarded, body: Any, status: int, code: str
) -> None:
    answer = guarded.serve().post("/sessions", json=body)

    assert refused(answer) == (status, code)
    assert "set-cookie" not in answer.headers
    assert "secret" not in answer.text
    assert "evil" not in answer.text


def test_a_sign_in_that_names_two_keys_is_refused(guarded: Guarded) -> None:
    body = f'{{"key": "secret", "key": "{guarded.key()}"}}'
    answer = guarded.serve().post("/sessions", content=body, headers={"content-type": "application/json"})

    assert refused(answer) == (422, "request-invalid")
    assert "set-cookie" not in answer.headers
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, True),
        ({"sec-fetch-site": "nonsense"}, True),
        ({"origin": "http://localhost"}, False),
        ({"origin": "http://localhost:81"}, True),
        ({"origin": "http://localhost.evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "https://viewer.example"}, True),
        ({}, True),
    ],
)
def test_another_sites_page_cannot_use_a_session(guarded: Guarded, headers: dict[str, str], is_refused: bool) -> None:
    client = guarded.serve(allowed_origins=frozenset({"https://viewer.example"}))
    client.post("/sessions", json={"key": guarded.key()}, headers=OWN_PAGE)

    answer = client.post("/predict", files={"file": ("a.png", b"")}, headers=headers)
    assert refused(answer) == ((403, "cross-site") if is_refused else (422, "empty-file"))


def test_another_sites_page_cannot_use_an_open_server_either(tiny_bundle: Path) -> None:
    service = tiny_service(tiny_bundle)
    with TestClient(create_app(service, allowed_hosts=HOSTS), base_url="http://localhost") as client:
        service.loaded.wait(10)
        empty = {"file": ("a.png", b"")}
        assert refused(client.post("/predict", files=empty)) == (422, "empty-file")
        assert refused(client.post("/predict", files=empty, headers=OWN_PAGE)) == (422, "empty-file")
        assert refused(client.post("/predict", files=empty, headers={"sec-fetch-site": "cross-site"})) == (
            403, "cross-site",
        )  # fmt: skip
        assert refused(client.post("/predict", files=empty, headers=ELSEWHERE)) == (403, "cross-site")
        assert client.get("/", headers={"accept": "text/html"}).status_code == 200
        assert client.get("/sign-in", follow_redirects=False).headers["location"] == "/"
        assert client.delete("/sessions/current").status_code == 204


def test_no_other_origin_is_let_in_unless_it_is_allowed(guarded: Guarded) -> None:
    key = guarded.key()
    asks = ELSEWHERE | {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    closed = guarded.serve()
    assert refused(closed.options("/predict", headers=asks)) == (401, "credentials-missing")
    assert "access-control-allow-origin" not in closed.get("/limits", headers=ELSEWHERE | bearer(key)).headers

    opened = guarded.serve(allowed_origins=frozenset({"https://viewer.example"}))
    preflight = opened.options("/predict", headers=asks)
    answer = opened.post("/predict", headers=ELSEWHERE | bearer(key), files={"file": ("a.png", b"")})
    assert preflight.status_code == 200
    assert refused(answer) == (422, "empty-file")
    for one in (preflight, answer):
        assert one.headers["access-control-allow-origin"] == "https://viewer.example"
        assert "access-control-allow-credentials" not in one.headers
    for origin in ("https://evil.example", "null", "https://viewer.example.evil.example", "http://viewer.example"):
        assert "access-control-allow-origin" not in opened.get("/health", headers={"origin": origin}).headers
        foreign = opened.options("/predict", headers=asks | {"origin": origin})
        assert refused(foreign) == (403, "cross-site")
        assert "access-control-allow-origin" not in foreign.headers
        assert foreign.json()["instance"] == foreign.headers["x-request-id"]
    assert refused(opened.options("/predict", headers=asks | {"access-control-request-method": "PATCH"}))[0] == 403


def test_one_key_may_ask_only_so_often(guarded: Guarded) -> None:
    client = guarded.serve(AccessRules(requests_per_minute=5))
    first, second = guarded.key(), guarded.key()

    statuses = [client.get("/limits", headers=bearer(first)).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    answer = client.get("/limits", headers=bearer(first))
    assert refused(answer) == (429, "rate-limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 12
    assert answer.headers["ratelimit-policy"] == '"requests";q=5;w=60'
    assert answer.headers["ratelimit"] == f'"requests";r=0;t={answer.headers["retry-after"]}'
    assert client.get("/limits", headers=bearer(second)).status_code == 200
    assert client.get("/health/live", headers=bearer(first)).status_code == 200


def test_many_invalid_keys_are_not_looked_at(guarded: Guarded) -> None:
    client, key = guarded.serve(), guarded.key()
    statuses = [client.get("/limits", headers=bearer(f"hilum_{n:08x}_" + "A" * 43)).status_code for n in range(40)]

    assert set(statuses[:20]) == {401}
    client.app.state.context.access._ring.renew()  # type: ignore[attr-defined]
    assert 429 in statuses[20:]
    assert client.get("/limits", headers=bearer(key)).status_code == 200
    assert sum(kind == "key-refused" for kind, _, _ in guarded.events()) == statuses.count(401)


def test_a_place_is_who_connects_whatever_a_header_says(guarded: Guarded) -> None:
    client, key = guarded.serve(), guarded.key()

    def ask(number: int) -> int:
        spoofed = dict.fromkeys(("x-forwarded-for", "x-real-ip", "forwarded"), f"10.0.0.{number}")
        return client.get("/limits", headers=spoofed | bearer(f"hilum_{number:08x}_" + "A" * 43)).status_code

    assert 429 in [ask(number) for number in range(40)]
    assert client.get("/limits", headers={"x-forwarded-for": "127.0.0.1"}).status_code == 401
    assert client.get("/limits", headers=bearer(key)).status_code == 200


def test_a_key_has_one_limit_wherever_it_comes_from(guarded: Guarded) -> None:
    client, key = guarded.serve(AccessRules(requests_per_minute=5)), guarded.key()
    places = [("10.0.0.1", 1), ("10.0.0.2", 1)]
    elsewhere = [TestClient(client.app, base_url="http://localhost", client=place) for place in places]

    statuses = [elsewhere[number % 2].get("/limits", headers=bearer(key)).status_code for number in range(8)]
    assert statuses == [200] * 5 + [429] * 3


def test_what_happened_is_in_the_audit_log_and_nothing_of_patients(guarded: Guarded, slice_png: bytes) -> None:
    client, key = guarded.serve(), guarded.key(Role.ANNOTATE)
    prefix = key[6:14]
    sent = {"file": ("JANE-DOE.png", slice_png)}
    answer = client.post("/predict", files=sent, headers=bearer(key)).json()
    batch = client.post("/predict/batch", files={"files": sent["file"]}, headers=bearer(key)).json()
    client.post(f"/predictions/{answer['id']}/feedback", json={"confirmed_class": "normal"}, headers=bearer(key))
    client.post("/predict", files={"file": ("a.png", b"")}, headers=bearer(key))
    client.post("/sessions", json={"key": key})
    client.delete("/sessions/current", headers=OWN_PAGE)
    client.post("/sessions", json={"key": "JANE"})
    client.get("/predictions", headers=bearer(guarded.key()))
    client.get("/limits", headers=bearer("hilum_0123abcd_" + "A" * 43))
    revoke_key(guarded.database, prefix)

    events = guarded.events()
    other = events[-4][2] if events[-4][0] == "key-created" else events[7][2]
    assert events == [
        ("key-created", "cli", prefix),
        ("predict", prefix, answer["id"]),
        ("predict", prefix, batch["items"][0]["result"]["id"]),
        ("feedback", prefix, answer["id"]),
        ("sign-in", prefix, ""),
        ("sign-out", prefix, ""),
        ("sign-in-refused", "unknown", ""),
        ("key-created", "cli", other),
        ("key-refused", other, "/predictions"),
        ("key-refused", "0123abcd", ""),
        ("key-revoked", "cli", prefix),
    ]
    assert verify(guarded.database).head.sequence == len(events)
    assert "JANE" not in str(list(export(guarded.database)))


def test_a_server_without_history_still_writes_down_who_asked(guarded: Guarded, slice_png: bytes) -> None:
    audit = AuditLog(Database(guarded.url))
    service = tiny_service(guarded.bundle)
    access = Access(Database(guarded.url), audit=audit)
    key = guarded.key()
    with TestClient(create_app(service, access=access, audit=audit), base_url="http://localhost") as client:
        service.loaded.wait(10)
        answer = client.post("/predict", files={"file": ("a.png", slice_png)}, headers=bearer(key)).json()
    assert guarded.events()[-1] == ("predict", key[6:14], answer["id"])


def test_strangers_are_told_neither_versions_nor_reasons(guarded: Guarded) -> None:
    client = guarded.serve()
    client.app.state.context.access._ring.trouble = "host db.internal"  # type: ignore[attr-defined]
    stranger, known = client.get("/health"), client.get("/health", headers=bearer(guarded.key()))

    assert stranger.status_code == known.status_code == 200
    assert stranger.json()["versions"] == {}
    assert "db.internal" not in stranger.text
    assert set(known.json()["versions"]) == {"hilum", "python", "onnxruntime"}


def test_roles_stand_in_the_api_description(guarded: Guarded) -> None:
    schema = guarded.serve().get("/openapi.json").json()

    assert set(schema["components"]["securitySchemes"]) == {"key", "session"}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            role = ACCESS[path][method.upper()]
            assert ("security" in operation) == (role is not PUBLIC)
            if role is not PUBLIC:
                assert operation["description"].endswith(f"Needs the role `{role}`.")
                assert {"401", "403", "429"} <= set(operation["responses"])


def test_what_an_address_needs() -> None:
    assert need_of("GET", "/predictions.csv").role is Role.ANNOTATE
    assert need_of("GET", "/predictions/x").role is Role.PREDICT
    assert need_of("POST", "/predictions/x/feedback").role is Role.ANNOTATE
    assert need_of("GET", "/predictions/x/y/feedback").template is None
    assert need_of("GET", "/static/css/base.css").role is PUBLIC
    assert need_of("PUT", "/health").role is PUBLIC
    assert need_of("PUT", "/predict").role is Role.PREDICT
