"""A PostgreSQL server of the test run's own, on a free port of this machine, gone when the run ends."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

USER = "hilum"


@dataclass
class PostgresqlServer:
    """A running server, which can be stopped and started again."""

    binaries: Path
    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": self.port}
        command = [self.binaries / "postgres", "-D", self.folder / "data"]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **_unprivileged())
        for _ in range(400):
            try:
                self.run("SELECT 1", "postgres")
            except psycopg.Error:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """Ends it at once, as a crash would."""
        if self.process is not None:
            self.process.send_signal(3)  # SIGQUIT: immediate shutdown
            self.process.wait(20)
            self.process = None

    def run(self, statement: str, database: str) -> None:
        """Runs one statement outside of a transaction."""
        address = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": self.password}
        with psycopg.connect(**address, dbname=database, connect_timeout=5, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new, empty database."""
        name = f"hilum_{secrets.token_hex(6)}"
        self.run(f"CREATE DATABASE {name}", "postgres")
        yield f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{name}"
        if self.process is not None:
            self.run(f"DROP DATABASE {name} WITH (FORCE)", "postgres")


def find_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, of the newest version installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgresql_server(binaries: Path) -> Iterator[PostgresqlServer]:
    """Makes a cluster and serves it until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="hilum-postgresql-"))
    password = secrets.token_hex(8)
    try:
        (folder / "password").write_text(password)
        if os.getuid() == 0:
            shutil.chown(folder, _account().pw_uid, _account().pw_gid)
            shutil.chown(folder / "password", _account().pw_uid, _account().pw_gid)
        command = [binaries / "initdb", "-D", folder / "data", "-U", USER, "--auth=scram-sha-256", "--no-sync"]
        command += [f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C"]
        subprocess.run(command, check=True, capture_output=True, **_unprivileged())
        server = PostgresqlServer(binaries, folder, _free_port(), password)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
