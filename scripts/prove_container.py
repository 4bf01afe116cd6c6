"""Proves the Dockerfile without Docker: builds a target in a clean root, runs it hardened, asks it for a prediction.

`python -m scripts.prove_container serve` (as root); prints sizes and what held. See docs/deployment.md.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.clean_root import CHECKOUT, CleanRoots, size_mb
from scripts.dockerfile import environment

_LARGEST_MB = 450
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_BOUNDARY = "container-proof"
_READ_ONLY = """set -e
mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"
mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"
mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
mount --bind "$1" "$0/var/lib/hilum"
cd "$0"; shift
exec chroot "$0" setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all \\
  sh -c 'cd /var/lib/hilum && exec "$@"' sh "$@"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds and proves; 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("serve", "train"))
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "build" / "container")
    parser.add_argument("--built", action="store_true", help="prove what was built before")
    options = parser.parse_args(arguments)
    if os.getuid() != 0:
        raise SystemExit("chroot and mounts need root; where Docker runs, `docker build` proves the same")
    roots = CleanRoots(CHECKOUT / "Dockerfile", options.folder)
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.built:
        roots.build(options.target)
        print("\n".join(f"stage {name}: {seconds:.0f} s" for name, seconds in roots.seconds.items()))
    sizes = _Sizes(roots, options.target)
    print(sizes)
    _enter_own_network()
    proof = _Proof(roots, options.target, options.folder / "volume")
    held = proof.serve(sizes) if options.target == "serve" else proof.train()
    return 0 if held else 1


class _Sizes:
    """What a target's root holds, in MB (10^6 bytes), by where it comes from."""

    def __init__(self, roots: CleanRoots, target: str) -> None:
        self._target = target
        root = roots.root_of(target)
        self._model_mb = size_mb(root / "opt" / "hilum" / "models")
        self._packages_mb = size_mb(root / "opt" / "hilum") - self._model_mb
        self._total_mb = size_mb(root)
        self._base_mb = size_mb(roots.root_of(roots.stages["python"].base))

    @property
    def installed_mb(self) -> float:
        """Python and its packages and what Debian adds; neither the base image nor the model, which is data."""
        return self._total_mb - self._base_mb - self._model_mb

    def __str__(self) -> str:
        debian_mb = self.installed_mb - self._packages_mb
        return (
            f"{self._target} installs {self.installed_mb:.0f} MB: Python packages {self._packages_mb:.0f}, "
            f"Python itself and other Debian packages {debian_mb:.0f}; "
            f"with the model, {self._model_mb:.0f}, and the base, {self._base_mb:.0f}, {self._total_mb:.0f} MB"
        )


class _Proof:
    """Runs commands as the image would: its user, its variables, a read-only root, no capability, no way out."""

    def __init__(self, roots: CleanRoots, target: str, volume: Path) -> None:
        self._root = roots.root_of(target)
        self._variables = environment(roots.stages, target)
        self._stage = roots.stages[target]
        self._volume = volume
        self._holds = True
        subprocess.run(["rm", "-rf", volume], check=True)
        volume.mkdir()
        os.chown(volume, 10001, 10001)

    def serve(self, sizes: _Sizes) -> bool:
        """Whether the serving image is small, closed, and answers."""
        self._say(f"installs less than {_LARGEST_MB} MB", sizes.installed_mb < _LARGEST_MB)
        self._say("has no TensorFlow", self._run("python3", "-c", "import tensorflow").returncode != 0)
        self._say("cannot write into its root", self._run("touch", "/opt/hilum/written").returncode != 0)
        self._say("refuses to start without a key", self._run(*self._command()).returncode != 0)
        key = self._run("hilum", "keys", "create", "--role", "predict", "proof").stdout.strip()
        server = self._start(*self._command())
        try:
            self._say("becomes ready", _until(lambda: _get("/health/ready")[0] == 200, 60))
            check = json.loads(self._stage.last("HEALTHCHECK").partition("CMD ")[2])
            self._say("passes its health check", self._run(*check).returncode == 0)
            self._say("answers strangers 401", _predict("", b"slice")[0] == 401)
            status, answer = _predict(key, _get("/samples/1.png", key)[1])
            self._say(f"predicts: {answer.get('predicted_class')}, stored {answer.get('stored')}", status == 200)
        finally:
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
        self._say(f"ends at SIGTERM with exit code {code}", code in {0, 143})
        return self._holds

    def train(self) -> bool:
        """Whether the training image has what training needs, and runs closed."""
        import_all = (
            "import keras, tf2onnx, sklearn, matplotlib, hilum.training.pipeline; print(keras.backend.backend())"
        )
        ended = self._run("python3", "-c", import_all)
        self._say(f"imports Keras on {ended.stdout.strip() or ended.stderr[-300:]}", ended.returncode == 0)
        self._say("prints its commands", "train" in self._run("hilum", "--help").stdout)
        self._say("cannot write into its root", self._run("touch", "/opt/hilum/written").returncode != 0)
        return self._holds

    def _command(self) -> list[str]:
        return [*json.loads(self._stage.last("ENTRYPOINT")), *json.loads(self._stage.last("CMD"))]

    def _arguments(self, command: Sequence[str]) -> list[str]:
        return ["unshare", "--mount", "sh", "-c", _READ_ONLY, str(self._root), str(self._volume), *command]

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._arguments(command), env=self._variables, capture_output=True, text=True, timeout=300, check=False
        )

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self._volume.parent / "serve.log").open("wb")
        return subprocess.Popen(self._arguments(command), env=self._variables, stdout=log, stderr=log)

    def _say(self, what: str, holds: bool) -> None:
        print(f"{'yes' if holds else 'NO '}  {what}", flush=True)
        self._holds = self._holds and holds


def _enter_own_network() -> None:
    """Only loopback from here on: nothing can be fetched, and port 8000 is free."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK):  # os.unshare comes with Python 3.12
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")
    with socket.socket() as any_socket:
        flags = struct.pack("16sh", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, flags)  # SIOCSIFFLAGS


def _get(path: str, key: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
    try:
        connection.request("GET", path, headers=_credentials(key))
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def _credentials(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _predict(key: str, image: bytes) -> tuple[int, dict[str, object]]:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="slice.png"\r\n\r\n'
    body = head.encode() + image + f"\r\n--{_BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=30)
    connection.request("POST", "/predict", body, headers | _credentials(key))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(main())
