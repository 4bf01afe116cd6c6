"""Carries out a Dockerfile's steps in a clean Debian root with chroot. Knows no Docker; says what it stands in for.

Needs root, `debootstrap`, and for the `node` base a Node of this machine. Where Docker runs, use Docker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.dockerfile import Instruction, Stage, environment, lineage, read_stages

CHECKOUT = Path(__file__).resolve().parent.parent
_SUITE = "bookworm"
_MIRROR = "http://deb.debian.org/debian"
_SOURCES = f"""deb {_MIRROR} {_SUITE} main
deb {_MIRROR} {_SUITE}-updates main
deb {_MIRROR}-security {_SUITE}-security main
"""
_SLIMMED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "var/lib/apt/lists",
    "var/cache/apt",
)
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = dict.fromkeys(
    ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "npm_config_cafile"), "/run/authorities.crt"
)
"""Registries are reached with this machine's certificates, as a build behind a proxy would be given them."""


class CleanRoots:
    """The roots of a Dockerfile's stages, made one from the other in a folder.

    Attributes:
        seconds: what each stage took.
    """

    def __init__(self, dockerfile: Path, folder: Path) -> None:
        """Reads the file; builds nothing yet."""
        self.stages = read_stages(dockerfile.read_text())
        self.seconds: dict[str, float] = {}
        self._folder = folder

    def root_of(self, name: str) -> Path:
        """Where a stage's files lie."""
        return self._folder / name.replace(":", "-").replace("/", "-")

    def build(self, name: str) -> Path:
        """Makes a stage, and before it those it needs; what this object made already is taken as it is."""
        if name in self.seconds:
            return self.root_of(name)
        stage = self.stages[name]
        base = self.build(stage.base) if stage.base in self.stages else self._base(stage.base)
        needed = [word[7:] for one in stage.instructions for word in one.words if word.startswith("--from=")]
        for other in needed:
            self.build(other)
        started_at = time.monotonic()
        root = self.root_of(name)
        _remove(root)
        subprocess.run(["cp", "--archive", base, root], check=True)
        for one in stage.instructions:
            self._carry_out(stage, one, root)
        self.seconds[name] = time.monotonic() - started_at
        return root

    def _carry_out(self, stage: Stage, one: Instruction, root: Path) -> None:
        print(f"{stage.name}: {one.name} {one.value}"[:150], file=sys.stderr)
        if one.name == "RUN":
            run_in(root, one.value, environment(self.stages, stage.name) | _CERTIFICATES, self._workdir(stage, one))
        elif one.name == "COPY":
            self._copy(one, root, root / self._workdir(stage, one).lstrip("/"))
        elif one.name in {"WORKDIR", "VOLUME"}:
            (root / one.value.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _workdir(self, stage: Stage, until: Instruction) -> str:
        found = "/"
        for one in (one for part in lineage(self.stages, stage.name) for one in part.instructions):
            if one is until:
                break
            found = one.value if one.name == "WORKDIR" else found
        return found

    def _copy(self, one: Instruction, root: Path, workdir: Path) -> None:
        options = [word for word in one.words if word.startswith("--")]
        *sources, target = (word for word in one.words if not word.startswith("--"))
        into = root / target.lstrip("/") if target.startswith("/") else workdir / target
        for source in sources:
            if options:
                origin = self.root_of(options[0].removeprefix("--from=")) / source.lstrip("/")
                shutil.copytree(origin, into, symlinks=True, dirs_exist_ok=True)
            else:
                _copy_tracked(source, into, is_folder=target.endswith("/"))

    def _base(self, image: str) -> Path:
        """A root like the official image's: Debian's own packages, and for Node this machine's."""
        root = self.root_of(image)
        if root.is_dir():
            return root
        part = self._folder / "unpacked"
        _remove(part)
        subprocess.run(["debootstrap", "--variant=minbase", _SUITE, part, _MIRROR], check=True, stdout=sys.stderr)
        (part / "etc" / "apt" / "sources.list").write_text(_SOURCES)
        for folder in _SLIMMED:
            shutil.rmtree(part / folder, ignore_errors=True)
        if image.startswith("node:"):
            _add_node(part)
        part.rename(root)
        return root


def run_in(root: Path, command: str, variables: dict[str, str], workdir: str) -> None:
    """Runs a shell command in a root, as root, in a mount and process namespace of its own.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    for name in ("proc", "dev", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    for name in ("run/authorities.crt", "etc/resolv.conf"):
        (root / name).touch()
    mounts = (
        'set -e; mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; '
        f'mount --bind {_AUTHORITIES} "$0/run/authorities.crt"; mount --bind /etc/resolv.conf "$0/etc/resolv.conf"; '
        'exec chroot "$0" /bin/sh -c "cd $1 && $2"'
    )
    inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mounts, root, workdir, command]
    subprocess.run(inside, env=variables | {"DEBIAN_FRONTEND": "noninteractive"}, check=True, stdout=sys.stderr)
    (root / "run" / "authorities.crt").unlink()


def size_mb(folder: Path) -> float:
    """What the files below a folder hold, links not followed."""
    found = {
        (status.st_dev, status.st_ino): status.st_size
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
        for status in [path.lstat()]
    }
    return sum(found.values()) / 1e6


def _copy_tracked(source: str, into: Path, *, is_folder: bool) -> None:
    """What git tracks of a file or folder of the checkout: never what lies about beside it."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source]
    listed = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        inner = Path(name).relative_to(source) if name != source else None
        goal = into / inner if inner else into / Path(name).name if is_folder else into
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, goal)


def _add_node(root: Path) -> None:
    node = Path(os.path.realpath(shutil.which("node") or "/usr/bin/node"))
    shutil.copy2(node, root / "usr" / "bin" / "node")
    modules = Path(os.path.realpath(shutil.which("npm") or "")).parents[2]
    shutil.copytree(modules / "npm", root / "usr" / "lib" / "node_modules" / "npm", symlinks=True)
    (root / "usr" / "bin" / "npm").symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
    libraries = subprocess.run(["ldd", node], capture_output=True, text=True, check=True).stdout
    for word in libraries.split():
        if word.startswith("/") and not (root / word.lstrip("/")).exists():
            shutil.copy2(word, root / word.lstrip("/"))


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
