"""The clients of `make cluster` count what they are told and what they are not."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from bench.steady_load import SteadyLoad
from nginx_proxy import running_instance

_PREDICTION = b'{"id": "1", "model_version": "m", "stored": true}'


@pytest.mark.parametrize(
    ("status", "is_dying", "counted"), [(b"200 OK", False, 200), (b"503 Full", False, 503), (b"200 OK", True, 0)]
)
def test_every_request_is_counted_with_what_became_of_it(status: bytes, is_dying: bool, counted: int) -> None:
    with running_instance() as instance:
        instance.status, instance.body, instance.is_dying = status, _PREDICTION, is_dying
        begin = time.monotonic()
        with SteadyLoad(instance.port, [("slice.png", b"slice")], clients=2, per_s=100) as load:
            while len(load.answers) < 20:
                time.sleep(0.01)
        answers = load.between(begin, time.monotonic())
    assert Counter(answer.status for answer in answers) == {counted: len(answers)}
    assert len(instance.received) == len(answers)
    assert {answer.is_stored for answer in answers} == {counted == 200}
    assert load.between(begin - 10, begin) == []
