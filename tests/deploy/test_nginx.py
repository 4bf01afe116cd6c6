"""What nginx, as we configure it, lets through to an instance, refuses itself, and does when an instance dies."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from nginx_proxy import Instance, Proxy, nginx, running_instance

from hilum.web.upload_limits import UploadLimits

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None and "CI" not in os.environ, reason="nginx is not installed"
)


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running_instance() as running:
        yield running


@pytest.fixture
def proxy(instance: Instance, tmp_path: Path) -> Iterator[Proxy]:
    with nginx(tmp_path, [instance.port]) as running:
        yield running


_POST = b"POST /predict HTTP/1.1\r\nHost: a\r\n"
_GET = b"GET /limits HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = {
    "a body framed twice": _POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown transfer coding": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two lengths": _POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a negative length": _POST + b"Content-Length: -1\r\n\r\n",
    "a space before the colon": _GET + b"Content-Length : 4\r\n\r\nabcd",
    "two hosts": _GET + b"Host: b\r\n\r\n",
    "a null byte in a header": _GET + b"X-A: b\x00c\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_two_servers_could_read_differently_reaches_no_instance(
    name: str, proxy: Proxy, instance: Instance
) -> None:
    answer = proxy.exchange(SMUGGLED[name])
    status = int(answer.split(b" ", 2)[1]) if answer else 0
    if instance.received:  # dropped rather than refused: then nothing of it may be left
        assert name == "a space before the colon"
        assert b"content-length" not in instance.received[0].lower()
    else:
        assert status in {400, 501}, answer


def test_lines_ended_by_a_bare_lf_reach_an_instance_ended_by_crlf(proxy: Proxy, instance: Instance) -> None:
    proxy.exchange(b"GET /limits HTTP/1.1\nHost: a\nX-One: 1\n\n")
    (sent,) = instance.received
    assert b"x-one: 1\r\n" in sent.lower()
    assert sent.count(b"\n") == sent.count(b"\r\n")


def test_a_folded_header_does_not_reach_an_instance_folded(proxy: Proxy, instance: Instance) -> None:
    proxy.exchange(b"GET /limits HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n Transfer-Encoding: chunked\r\n\r\n")
    assert all(b"transfer-encoding" not in sent.lower() for sent in instance.received)


def test_an_instance_is_told_the_callers_address_by_nginx_alone(proxy: Proxy, instance: Instance) -> None:
    spoof = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Host": "evil.example", "Forwarded": "for=10.9.8.7"}
    proxy.ask("GET", "/limits", headers=spoof)
    (sent,) = instance.received
    assert b"x-forwarded-for: 127.0.0.1\r\n" in sent.lower()
    assert b"10.9.8.7" not in sent
    assert b"evil.example" not in sent


@pytest.mark.parametrize(("said", "told"), [({}, "http"), ({"X-Forwarded-Proto": "https"}, "https")])
def test_an_instance_is_told_that_tls_ends_before_nginx(
    said: dict[str, str], told: str, proxy: Proxy, instance: Instance
) -> None:
    proxy.ask("GET", "/limits", headers=said)
    (sent,) = instance.received
    assert f"x-forwarded-proto: {told}\r\n".encode() in sent.lower()


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "BREW"])
def test_other_methods_are_refused_with_a_problem(method: str, proxy: Proxy, instance: Instance) -> None:
    status, headers, body = proxy.ask(method, "/limits")
    assert status == 405
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["type"] == "/problems/method-not-allowed"
    assert not instance.received


@pytest.mark.parametrize(
    ("path", "megabytes"),
    [("/predict", 26), ("/predict/batch", 257), ("/predict/study", 257), ("/upload-data", 513), ("/batches", 2049)],
)
def test_a_body_over_the_limit_is_refused_before_it_is_read(
    path: str, megabytes: int, proxy: Proxy, instance: Instance
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {megabytes * 1_048_576}\r\n\r\n"
    answer = proxy.exchange(head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body-too-large"
    assert not instance.received


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("/predict", UploadLimits().body_bytes),
        ("/predict/batch", UploadLimits().batch_bytes),
        ("/predict/study", UploadLimits().study_bytes),
        ("/upload-data", UploadLimits().dataset_bytes),
        ("/batches", UploadLimits().scoring_bytes),
    ],
)
def test_as_much_is_let_through_as_hilum_takes(path: str, taken: int, proxy: Proxy) -> None:
    answer = proxy.exchange(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {taken}\r\n\r\n".encode())
    assert answer == b"", "it waits for the body"


def test_a_header_of_a_megabyte_is_refused(proxy: Proxy, instance: Instance) -> None:
    answer = proxy.exchange(b"GET /limits HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not instance.received


@pytest.mark.parametrize("path", ["/training-runs/1/events", "/batches/1/events"])
def test_an_event_is_handed_on_as_it_comes(path: str, proxy: Proxy, instance: Instance) -> None:
    instance.is_streaming, instance.body = True, b"event: run\n\n"
    assert b"event: run" in proxy.exchange(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def test_guessing_at_the_sign_in_is_slowed(proxy: Proxy, instance: Instance) -> None:
    answers = [proxy.ask("POST", "/sessions", b"{}") for _ in range(20)]
    statuses = [status for status, _, _ in answers]
    assert statuses.count(200) <= 12
    status, headers, body = answers[-1]
    assert (status, headers["Retry-After"]) == (429, "1")
    assert json.loads(body)["code"] == "rate-limited"


def test_no_instance_gives_a_problem_with_a_time_to_wait(proxy: Proxy, instance: Instance) -> None:
    instance.is_dying = True
    status, headers, body = proxy.ask("POST", "/predict", b"slice")
    assert (status, headers["Retry-After"], headers["Content-Type"]) == (503, "1", "application/problem+json")
    assert json.loads(body)["retry_after"] == 1


def test_no_room_for_a_body_gives_a_problem_too(proxy: Proxy, instance: Instance, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "nginx-body")
    status, headers, body = proxy.ask("POST", "/predict", bytes(1_000_000))
    assert (status, headers["Content-Type"]) == (503, "application/problem+json")
    assert json.loads(body)["code"] == "overloaded"
    assert not instance.received


def test_a_fault_of_an_instance_is_handed_on_as_it_is(proxy: Proxy, instance: Instance) -> None:
    instance.status, instance.body = b"500 Internal Server Error", b'{"code": "internal"}'
    assert proxy.ask("GET", "/limits")[0::2] == (500, instance.body)


def test_a_prediction_is_made_again_by_another_instance_where_the_first_dies(
    instance: Instance, tmp_path: Path
) -> None:
    instance.is_dying = True
    with running_instance() as other, nginx(tmp_path, [instance.port, other.port]) as proxy:
        statuses = {proxy.ask("POST", "/predict", b"slice")[0] for _ in range(6)}
    assert statuses == {200}
    assert instance.received
    assert len(other.received) == 6


def test_what_changes_state_is_not_sent_twice(instance: Instance, tmp_path: Path) -> None:
    instance.is_dying = True
    with running_instance() as other, nginx(tmp_path, [instance.port, other.port]) as proxy:
        for _ in range(4):
            proxy.ask("POST", "/predictions/1/feedback", b"{}")
    assert len(instance.received) + len(other.received) == 4


def test_a_request_that_an_instance_has_no_room_for_goes_to_another(instance: Instance, tmp_path: Path) -> None:
    instance.status = b"503 Service Unavailable"
    with running_instance() as other, nginx(tmp_path, [instance.port, other.port]) as proxy:
        statuses = [proxy.ask(method, path)[0] for method, path in 3 * [("POST", "/predict"), ("GET", "/predictions")]]
    assert statuses == 6 * [200]
    assert len(instance.received) > 1, "full instances are asked again"
