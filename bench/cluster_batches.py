"""Batches in the cluster: queued through nginx, and their workers killed amid them. Starts nothing of the cluster."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from bench import machine
from bench.client import BOUNDARY, multipart
from bench.topology import Topology

_BATCH = 600
_BATCH_S = 240.0
_ANSWER_S = 300.0
"""As long as nginx waits for an answer about a batch."""

_GONE_S = 3.0


def kill_worker(topology: Topology, images: Path | None = None) -> str:
    """Two workers share a batch; one is lost, and stays lost until the other has finished.

    Args:
        topology: with workers.
        images: folder of the batch's images; None takes real slices, each several times.
    """
    sent_at = time.monotonic()
    n_images, batch_id = _queue_batch(topology, images)
    queued_at = time.monotonic()
    _wait_for_batch(topology, batch_id, share=0.3)
    topology.workers[0].kill()
    killed_at = time.monotonic()
    told = _ended(topology, batch_id, n_images)
    ended_at = time.monotonic()
    topology.workers[0].start()
    return (
        f"{told}, {ended_at - killed_at:.1f} s after the kill; taken in {queued_at - sent_at:.1f} s, "
        f"{n_images / (ended_at - queued_at):.1f} images/s after that"
    )


def replace_workers(topology: Topology) -> str:
    """No worker is left for three seconds; the one that comes takes over what was begun."""
    n_images, batch_id = _queue_batch(topology)
    _wait_for_batch(topology, batch_id, share=0.3)
    for worker in topology.workers:
        worker.kill()
    killed_at = time.monotonic()
    time.sleep(_GONE_S)
    for worker in topology.workers:
        worker.start()
    return f"{_ended(topology, batch_id, n_images)}, {time.monotonic() - killed_at:.1f} s after the kill"


def during(topology: Topology, happen: Callable[[Topology], str | None]) -> str:
    """Lets something happen amid a batch, which must end all the same."""
    n_images, batch_id = _queue_batch(topology)
    _wait_for_batch(topology, batch_id, share=0.3)
    happen(topology)
    back_at = time.monotonic()
    return f"{_ended(topology, batch_id, n_images)}, {time.monotonic() - back_at:.1f} s after that"


def _queue_batch(topology: Topology, images: Path | None = None) -> tuple[int, str]:
    """Sends a zip of images through nginx, as a client that has it on disk; how many, and the batch's id."""
    files = machine.test_files(machine.data_folder())[:64]
    chosen = sorted(images.iterdir()) if images else [files[number % len(files)] for number in range(_BATCH)]
    with TemporaryFile() as packed, TemporaryFile() as body:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for number, file in enumerate(chosen):
                archive.writestr(f"{number}.png", file.read_bytes())
        packed.seek(0)
        before, after = multipart(b"\0", "batch.zip", field="files").split(b"\0")
        body.write(before)
        shutil.copyfileobj(packed, body)
        body.write(after)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        batch = json.loads(ask(topology, "POST", "/batches", 202, body, kind=kind))
    return len(chosen), str(batch["id"])


def _wait_for_batch(topology: Topology, batch_id: str, *, share: float) -> dict[str, Any]:
    """Waits until so much of a batch is scored, or it has ended.

    Raises:
        SystemExit: nothing is scored for long, or its progress goes back.
    """
    deadline, done = time.monotonic() + _BATCH_S, 0.0
    while time.monotonic() < deadline:
        try:
            batch: dict[str, Any] = json.loads(ask(topology, "GET", f"/batches/{batch_id}", 200))
        except SystemExit:  # PostgreSQL may be away
            time.sleep(0.5)
            continue
        if batch["progress"] < done:
            raise SystemExit(f"the batch's progress went back from {done:.0%} to {batch['progress']:.0%}")
        if batch["progress"] > done:
            deadline, done = time.monotonic() + _BATCH_S, batch["progress"]
        if batch["progress"] >= share or batch["ended_at"]:
            return batch
        time.sleep(0.2)
    raise SystemExit(f"nothing of the batch was scored for {_BATCH_S:.0f} s, at {done:.0%}")


def _ended(topology: Topology, batch_id: str, n_images: int) -> str:
    """Waits for a batch's end and checks that each image has one result.

    Raises:
        SystemExit: it has not.
    """
    batch = _wait_for_batch(topology, batch_id, share=1.0)
    lines = ask(topology, "GET", f"/batches/{batch_id}/results.jsonl", 200).splitlines()
    indexes = [json.loads(line)["index"] for line in lines]
    if batch["status"] != "done" or indexes != list(range(n_images)):
        raise SystemExit(f"the batch is {batch['status']} with {len(indexes)} results of {n_images}")
    return f"{n_images:,} of {n_images:,} images have their one result"


def ask(
    topology: Topology,
    method: str,
    path: str,
    expected: int,
    body: bytes | IO[bytes] = b"",
    *,
    kind: str = "application/json",
) -> bytes:
    """What nginx answers.

    Raises:
        SystemExit: it answers another status than `expected`, or nothing.
    """
    headers = {"Authorization": f"Bearer {topology.key}"} | ({"Content-Type": kind} if body else {})
    if not isinstance(body, bytes):
        headers["Content-Length"] = str(body.seek(0, io.SEEK_END))
        body.seek(0)
    connection = http.client.HTTPConnection("127.0.0.1", topology.nginx.port, timeout=_ANSWER_S)
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
