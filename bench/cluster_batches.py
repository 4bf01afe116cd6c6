"""Batches in the cluster: queued through nginx, and their workers killed amid them. Starts nothing of the cluster."""

from __future__ import annotations

import http.client
import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from bench import machine
from bench.client import BOUNDARY, multipart
from bench.topology import Topology

_BATCH = 600
_BATCH_S = 240.0
_GONE_S = 3.0


def kill_worker(topology: Topology) -> str:
    """Two workers share a batch; one is lost, and stays lost until the other has finished."""
    batch_id = _queue_batch(topology)
    _wait_for_batch(topology, batch_id, share=0.3)
    topology.workers[0].kill()
    killed_at = time.monotonic()
    told = _ended(topology, batch_id)
    topology.workers[0].start()
    return f"{told}, {time.monotonic() - killed_at:.1f} s after the kill"


def replace_workers(topology: Topology) -> str:
    """No worker is left for three seconds; the one that comes takes over what was begun."""
    batch_id = _queue_batch(topology)
    _wait_for_batch(topology, batch_id, share=0.3)
    for worker in topology.workers:
        worker.kill()
    killed_at = time.monotonic()
    time.sleep(_GONE_S)
    for worker in topology.workers:
        worker.start()
    return f"{_ended(topology, batch_id)}, {time.monotonic() - killed_at:.1f} s after the kill"


def during(topology: Topology, happen: Callable[[Topology], str | None]) -> str:
    """Lets something happen amid a batch, which must end all the same."""
    batch_id = _queue_batch(topology)
    _wait_for_batch(topology, batch_id, share=0.3)
    happen(topology)
    back_at = time.monotonic()
    return f"{_ended(topology, batch_id)}, {time.monotonic() - back_at:.1f} s after that"


def _queue_batch(topology: Topology) -> str:
    """Sends a zip of real slices, each several times, through nginx; the batch's id."""
    files = machine.test_files(machine.data_folder())[:64]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number in range(_BATCH):
            archive.writestr(f"{number}.png", files[number % len(files)].read_bytes())
    body = multipart(packed.getvalue(), "batch.zip", field="files")
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    batch = json.loads(ask(topology, "POST", "/batches", 202, body, kind=kind))
    return str(batch["id"])


def _wait_for_batch(topology: Topology, batch_id: str, *, share: float) -> dict[str, Any]:
    """Waits until so much of a batch is scored, or it has ended.

    Raises:
        SystemExit: that takes too long.
    """
    deadline = time.monotonic() + _BATCH_S
    while time.monotonic() < deadline:
        try:
            batch: dict[str, Any] = json.loads(ask(topology, "GET", f"/batches/{batch_id}", 200))
        except SystemExit:  # PostgreSQL may be away
            time.sleep(0.5)
            continue
        if batch["progress"] >= share or batch["ended_at"]:
            return batch
        time.sleep(0.2)
    raise SystemExit(f"the batch is not {share:.0%} done after {_BATCH_S:.0f} s")


def _ended(topology: Topology, batch_id: str) -> str:
    """Waits for a batch's end and checks that each image has one result.

    Raises:
        SystemExit: it has not.
    """
    batch = _wait_for_batch(topology, batch_id, share=1.0)
    lines = ask(topology, "GET", f"/batches/{batch_id}/results.jsonl", 200).splitlines()
    indexes = [json.loads(line)["index"] for line in lines]
    if batch["status"] != "done" or indexes != list(range(_BATCH)):
        raise SystemExit(f"the batch is {batch['status']} with {len(indexes)} results of {_BATCH}")
    return f"{_BATCH} of {_BATCH} images have their one result"


def ask(
    topology: Topology, method: str, path: str, expected: int, body: bytes = b"", *, kind: str = "application/json"
) -> bytes:
    """What nginx answers.

    Raises:
        SystemExit: it answers another status than `expected`, or nothing.
    """
    headers = {"Authorization": f"Bearer {topology.key}"} | ({"Content-Type": kind} if body else {})
    connection = http.client.HTTPConnection("127.0.0.1", topology.nginx.port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise SystemExit(f"{method} {path} was not answered: {error}") from error
    finally:
        connection.close()
    if response.status != expected:
        raise SystemExit(f"{method} {path} was answered {response.status}: {content[:500]!r}")
    return content
