"""What a server must endure: kills, a database that is away, a full disk, SIGTERM, a damaged model. One trial each."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
from tests.postgresql_server import PostgresqlServer

from bench.client import BOUNDARY, multipart
from bench.steady_load import Answer, SteadyLoad
from bench.topology import Instance
from hilum.imaging.phantoms import draw_phantom

Named = Sequence[tuple[str, bytes]]


@dataclass
class Told:
    """What a trial found.

    Attributes:
        n: of whatever it counts.
        held: whether what is promised was kept.
        note: the figures in words.
    """

    n: int
    held: bool
    note: str
    figures: dict[str, Any] = field(default_factory=dict)


def kills(files: Named, environment: dict[str, str], n: int) -> Told:
    """Kills the server `n` times under load; every acknowledged prediction and upload must be found afterwards."""
    predicted: list[str] = []
    uploaded: list[str] = []
    with _instance(environment) as instance:
        for number in range(n):
            instance.start()
            instance.wait_until_ready()
            stop = threading.Event()
            uploader = threading.Thread(target=_upload_on, args=(instance.port, number, stop, uploaded))
            uploader.start()
            with SteadyLoad(instance.port, files, clients=3, per_s=50) as load:
                while sum(answer.is_stored for answer in list(load.answers)) < 8:
                    time.sleep(0.02)
                instance.kill()
                stop.set()
            uploader.join()
            predicted += [answer.prediction_id for answer in load.answers if answer.is_stored]
        instance.start()
        instance.wait_until_ready()
        lost = [one for one in predicted if instance.ask(f"/predictions/{one}")[0] != 200]
        lost += [one for one in uploaded if instance.ask(f"/upload-batches/{one}")[0] != 200]
    note = f"{n} kills; {len(predicted)} predictions and {len(uploaded)} uploads acknowledged, {len(lost)} lost"
    figures = {"kills": n, "predictions": len(predicted), "uploads": len(uploaded), "lost": len(lost)}
    return Told(n, not lost and bool(predicted), note, figures)


def database_away(files: Named, environment: dict[str, str], postgresql: PostgresqlServer, seconds: float) -> Told:
    """Stops PostgreSQL; predictions must go on, and be stored again once it is back, without a restart."""
    with _instance(environment) as instance:
        instance.start()
        instance.wait_until_ready()
        with SteadyLoad(instance.port, files, clients=2, per_s=8) as load:
            time.sleep(3)
            gone_at = time.monotonic()
            postgresql.stop()
            time.sleep(seconds)
            postgresql.start()
            back_at = time.monotonic()
            time.sleep(5)
        away = load.between(gone_at, back_at)
        failed = [answer for answer in load.answers if answer.status != 200]
        stored = [answer.sent_at for answer in load.between(back_at, time.monotonic()) if answer.is_stored]
    healed_s = min(stored) - back_at if stored else float("inf")
    note = (
        f"{len(away)} predictions while away for {seconds:.0f} s, {len(failed)} failed; "
        f"stored again {healed_s:.1f} s after it was back"
    )
    return Told(len(away), not failed and healed_s < 5 and bool(away), note)


def disk_full(files: Named, environment: dict[str, str]) -> Told:
    """Fills the disk of the state, a small one of memory; uploads must be 507, predictions go on, and both recover."""
    with TemporaryDirectory(prefix="hilum-disk-") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", folder], check=True)
        try:
            with _instance(environment, Path(folder)) as instance:
                instance.start()
                instance.wait_until_ready()
                before = _statuses(instance.port, files, 0)
                filler = Path(folder) / "filler"
                with filler.open("wb", buffering=0) as file:
                    try:
                        while file.write(b"\0" * 65536) == 65536:
                            pass
                    except OSError:
                        pass
                during = _statuses(instance.port, files, 100)
                filler.unlink()
                time.sleep(3)
                after = _statuses(instance.port, files, 200)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
    held = before == after == {"predict": "200 stored", "upload": "201"}
    held = held and during == {"predict": "200 not stored", "upload": "507"}
    return Told(3, held, f"before {before}, full {during}, after {after}")


def sigterm(files: Named, environment: dict[str, str], n: int) -> Told:
    """Ends the server `n` times while it computes; whatever it had begun must be answered."""
    cut: list[Answer] = []
    answered = 0
    codes: Counter[int] = Counter()
    with _instance(environment) as instance:
        for _ in range(n):
            instance.start()
            instance.wait_until_ready()
            answers: list[Answer] = []
            clients = [threading.Thread(target=_ask_once, args=(instance.port, one, answers)) for one in files[:24]]
            for client in clients:
                client.start()
            while not answers:
                time.sleep(0.001)
            codes[instance.terminate()] += 1
            for client in clients:
                client.join()
            answered += sum(answer.status == 200 for answer in answers)
            cut += [answer for answer in answers if answer.status == 0]
    note = (
        f"{n} times SIGTERM with 24 requests begun: {answered} answered, {len(cut)} cut off, exit codes {dict(codes)}"
    )
    return Told(n, not cut and set(codes) == {0}, note)


def damaged_model(files: Named, environment: dict[str, str]) -> Told:
    """Promotes a model one of whose files is damaged in the store; the one before must serve on."""
    from hilum.inference.bundle import MANIFEST
    from hilum.services.reference import reference_bundle

    with _instance(environment) as instance:
        instance.start()
        instance.wait_until_ready()
        good = json.loads(instance.ask("/health")[1])["model_version"]
        with TemporaryDirectory() as folder:
            bundle = Path(folder) / "twin"
            shutil.copytree(reference_bundle(), bundle)
            manifest = json.loads((bundle / MANIFEST).read_text())
            manifest["model_version"] += "-twin"
            (bundle / MANIFEST).write_text(json.dumps(manifest))
            instance.command("models", "register", str(bundle))
        largest = max(Path(instance.home).glob("blobs/bundles/**/*"), key=lambda file: file.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)
        with SteadyLoad(instance.port, files, clients=2, per_s=8) as load:
            promoted = _post(instance.port, f"/models/{manifest['model_version']}/promote", b"{}", "application/json")[
                0
            ]
            time.sleep(8)
        health = json.loads(instance.ask("/health")[1])
    versions = {answer.model_version for answer in load.answers if answer.status == 200}
    failed = sum(answer.status != 200 for answer in load.answers)
    held = versions == {good} and not failed and bool(load.answers)
    note = (
        f"promotion answered {promoted}; {len(load.answers)} predictions after it, {failed} failed, all by the one "
        f"before: {versions == {good}}; health {health['status']}: {'; '.join(health['degraded_reasons'])[:160]}"
    )
    return Told(len(load.answers), held, note)


@contextmanager
def _instance(environment: dict[str, str], folder: Path | None = None) -> Iterator[Instance]:
    with TemporaryDirectory(prefix="hilum-endurance-") as made:
        instance = Instance(0, environment, folder or Path(made))
        try:
            yield instance
        finally:
            if instance.is_running:
                instance.terminate()


def _post(port: int, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _upload(port: int, seed: int) -> tuple[int, bytes]:
    """Uploads one drawn slice as `normal`."""
    picture = cv2.imencode(".png", draw_phantom(seed))[1].tobytes()
    label = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="label"\r\n\r\nnormal\r\n'
    body = label.encode() + multipart(picture, "slice.png").replace(b'name="file"', b'name="files"')
    return _post(port, "/upload-data", body, f"multipart/form-data; boundary={BOUNDARY}")


def _upload_on(port: int, number: int, stop: threading.Event, acknowledged: list[str]) -> None:
    for seed in range(1000 * number, 1000 * number + 1000):
        if stop.is_set():
            return
        try:
            status, content = _upload(port, seed)
        except (OSError, http.client.HTTPException):
            return
        if status == 201:
            acknowledged.append(json.loads(content)["batch_id"])


def _statuses(port: int, files: Named, seed: int) -> dict[str, str]:
    """What one prediction and one upload are answered."""
    name, data = files[seed % len(files)]
    status, content = _post(port, "/predict", multipart(data, name), f"multipart/form-data; boundary={BOUNDARY}")
    stored = ("stored" if json.loads(content).get("stored") else "not stored") if status == 200 else ""
    return {"predict": f"{status} {stored}".strip(), "upload": str(_upload(port, 5000 + seed)[0])}


def _ask_once(port: int, file: tuple[str, bytes], answers: list[Answer]) -> None:
    sent_at = time.monotonic()
    body = multipart(file[1], file[0])
    try:
        status, _ = _post(port, "/predict", body, f"multipart/form-data; boundary={BOUNDARY}")
    except ConnectionRefusedError:
        return  # it had not begun
    except (OSError, http.client.HTTPException):
        status = 0
    answers.append(Answer(sent_at, status, time.monotonic() - sent_at))
