"""Measures how serving grows: with the cores a server may use, with instances behind nginx, with the side of images.

    python -m bench.scaling
    python -m bench.scaling --parts sides --sides 256 512 1024 2048

The cases of a part run in one program and take turns, so that a machine that slows down touches all alike. Answers 503,
by which a server refuses what would wait too long, are counted apart from errors and are no part of requests a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from bench import loop, machine, wrk
from bench.figures import report, spread, table
from bench.nginx import Nginx
from bench.server import Server, memory_of
from bench.topology import Topology

_WARM_UP_S = 2


@dataclass
class Case:
    """One way to serve, or one kind of image.

    Attributes:
        name: as the table says it.
        port: where requests go.
        files: that are sent.
        key: for them.
        cpu_s: processor seconds that hilum's processes have used.
        memory_mb: of hilum's processes.
    """

    name: str
    port: int
    files: list[Path]
    cpu_s: Callable[[], float]
    memory_mb: Callable[[], dict[str, float]]
    key: str = ""
    loads: list[wrk.Load] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def measure(self, connections: int, seconds: int) -> None:
        """One more round."""
        used = self.cpu_s()
        load = wrk.run(self.port, self.files, connections=connections, seconds=seconds, key=self.key)
        self.loads.append(load)
        self.cpu_ms.append((self.cpu_s() - used) * 1000 / max(load.requests, 1))

    def found(self) -> dict[str, Any]:
        """The medians of all rounds, and what memory is used now."""
        return {
            "name": self.name,
            "requests_per_s": spread([load.answered_per_s for load in self.loads]),
            "p50_ms": round(median(load.p50_ms for load in self.loads), 1),
            "p95_ms": round(median(load.p95_ms for load in self.loads), 1),
            "cpu_ms": round(median(self.cpu_ms), 2),
            "requests": sum(load.requests for load in self.loads),
            "refused": sum(load.refused for load in self.loads),
            "errors": sum(load.errors - load.refused for load in self.loads),
            "memory_mb": self.memory_mb(),
        }


_Part = Callable[[argparse.Namespace, ExitStack], list[Case]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the parts, prints the table, writes the JSON; 1 where a request got another answer than 200 or 503."""
    options = _parser().parse_args(arguments)
    wrk.check_installed()
    about = machine.description()
    results: dict[str, Any] = {}
    for name in options.parts:
        with ExitStack() as opened:
            cases = _PARTS[name](options, opened)
            for case in cases:
                wrk.run(case.port, case.files, connections=options.connections, seconds=_WARM_UP_S, key=case.key)
            for number in range(options.rounds):
                for case in cases if number % 2 == 0 else reversed(cases):
                    case.measure(options.connections, options.seconds)
            results[name] = [case.found() for case in cases]
            print(name, results[name], file=sys.stderr)
    report("scaling", about, {"connections": options.connections, **results}, _table(results), options.out)
    return 1 if any(case["errors"] for cases in results.values() for case in cases) else 0


def _cores(_: argparse.Namespace, opened: ExitStack) -> list[Case]:
    """A server that may use one core, two, and so on."""
    usable = sorted(machine.usable_core_numbers())
    files = _test_files()
    cases = []
    for count in range(1, len(usable) + 1):
        machine.stay_on(set(usable[:count]))
        try:
            server = opened.enter_context(Server(None))
        finally:
            machine.stay_on(set(usable))
        cases.append(Case(f"{count} of {len(usable)} cores", server.port, files, server.cpu_s, server.memory_mb))
    return cases


def _instances(options: argparse.Namespace, opened: ExitStack) -> list[Case]:
    """The same instances behind an nginx that knows one of them, one that knows two, and so on."""
    topology = opened.enter_context(Topology(options.instances))
    folder = Path(opened.enter_context(TemporaryDirectory(prefix="hilum-scaling-")))
    folder.chmod(0o755)  # nginx's workers are another user
    files = _test_files()
    cases = []
    for count in range(1, options.instances + 1):
        known = topology.instances[:count]
        (folder / str(count)).mkdir()
        nginx = opened.enter_context(Nginx(folder / str(count), [one.port for one in known]))

        def cpu_s(known: Sequence[Any] = known) -> float:
            return sum(one.cpu_s() for one in known)

        def memory_mb(known: Sequence[Any] = known) -> dict[str, float]:
            return memory_of([process for one in known for process in one.processes()])

        name = f"{count} instance{'s' * (count > 1)}, one thread each"
        cases.append(Case(name, nginx.port, files, cpu_s, memory_mb, topology.key))
    return cases


def _sides(options: argparse.Namespace, opened: ExitStack) -> list[Case]:
    """Real slices resized to squares, each size to a server of its own."""
    folder = Path(opened.enter_context(TemporaryDirectory(prefix="hilum-scaling-")))
    cases = []
    for side in options.sides:
        files = loop.answered_files(_squares(folder / str(side), side, options.images), None)
        kilobytes = sum(file.stat().st_size for file in files) / len(files) / 1000
        server = opened.enter_context(Server(None))
        name = f"{side} × {side}, {kilobytes:.0f} kB, {len(files)} images"
        cases.append(Case(name, server.port, files, server.cpu_s, server.memory_mb))
    return cases


def _squares(folder: Path, side: int, count: int) -> list[Path]:
    """The middle squares of so many test images, as PNG."""
    folder.mkdir()
    made = []
    for file in machine.test_files(machine.data_folder())[:count]:
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        least = min(picture.shape)
        top, left = ((length - least) // 2 for length in picture.shape)
        square = picture[top : top + least, left : left + least]
        how = cv2.INTER_AREA if side < least else cv2.INTER_CUBIC
        made.append(folder / f"{file.stem}-{len(made)}.png")
        cv2.imwrite(str(made[-1]), cv2.resize(square, (side, side), interpolation=how))
    return made


def _test_files() -> list[Path]:
    return loop.answered_files(machine.test_files(machine.data_folder()), None)


_PARTS: dict[str, _Part] = {"cores": _cores, "instances": _instances, "sides": _sides}


def _table(results: dict[str, Any]) -> str:
    rows = [
        (
            part, case["name"], case["requests_per_s"]["median"],
            f"{case['requests_per_s']['min']} to {case['requests_per_s']['max']}", case["p50_ms"], case["p95_ms"],
            case["cpu_ms"], case["memory_mb"]["rss"], case["memory_mb"]["pss"], case["requests"],
            case["refused"], case["errors"],
        )
        for part, cases in results.items()
        for case in cases
    ]  # fmt: skip
    header = ("", "case", "requests/s", "rounds", "p50 ms", "p95 ms", "cpu ms", "MB", "MB (pss)", "n", "503", "errors")
    return table(header, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS))
    parser.add_argument("--instances", type=int, default=3, help="at the most")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024, 2048], help="in pixels")
    parser.add_argument("--images", type=int, default=48, help="of each side")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement in a round")
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
