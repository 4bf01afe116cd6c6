"""Notes every outgoing connection and look-up of a name, in processes of Python and by the kernel. Knows no server."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_HOOK = """
import os, sys

_ASKED = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
          "socket.gethostbyaddr", "socket.getnameinfo", "urllib.Request", "http.client.connect"}

def _note(event, args):
    if event in _ASKED and not any(isinstance(one, bytes) for one in args[1:2]):
        if event == "socket.connect" and isinstance(args[1], str):  # a socket of this machine's file system
            return
        descriptor = os.open(%r, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{event} {args[1:]!r}\\n".encode())
        os.close(descriptor)

sys.addaudithook(_note)
"""
_CALLS = "trace=connect,sendto,sendmsg,sendmmsg"


def watching_environment(folder: Path) -> tuple[dict[str, str], Path]:
    """Variables that make every process of Python note what it asks others for, and the file it is noted in."""
    noted = folder / "asked"
    (folder / "sitecustomize.py").write_text(_HOOK % str(noted))
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path}, noted


def can_ask_the_kernel() -> bool:
    """Whether strace is there and may look."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-e", _CALLS, "true"], capture_output=True, check=False)
    return tried.returncode == 0


@contextmanager
def kernel_notes(pid: int, file: Path) -> Iterator[Path]:
    """Notes the calls of a process, its children and theirs, in any language, until the block ends."""
    processes = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    attach = [argument for one in processes for argument in ("-p", str(one))]
    tracer = subprocess.Popen(["strace", "-f", "-q", "-e", _CALLS, "-o", file, *attach], stderr=subprocess.DEVNULL)
    try:
        while not all(_is_traced(one) for one in processes):
            if tracer.poll() is not None:
                raise RuntimeError("strace has ended before it began")
            time.sleep(0.02)
        yield file
    finally:
        tracer.terminate()
        tracer.wait(20)


def _is_traced(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)


def outgoing(file: Path) -> list[str]:
    """The calls among them that name an address of a network."""
    return [line for line in file.read_text().splitlines() if "AF_INET" in line and "sin" in line]
