"""Kills the worker or the server with SIGKILL at different points of training runs, and looks what is left."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from bench import machine
from bench.client import predict_all
from bench.figures import report, table
from bench.server import free_port, hilum_command

STAGES = ("queued", "snapshot", "features", "fit", "refit", "pack", "measure", "compare", "register")
VICTIMS = ("worker", "supervisor", "web", "server")
ENDED = {"promoted", "awaiting-approval", "refused", "failed", "cancelled"}
_PATIENCE_S = 900


@dataclass
class Trial:
    """A server over a state of its own, and what its runs came to.

    Attributes:
        home: its state.
        model: what it begins with.
        is_beside: a `hilum worker` beside the server carries the runs out, not the server.
        asked: what each run is asked to do.
        kills: victim and stage of each.
        outcomes: how each run ended, with how often its process was begun.
        violations: what should not be, in words.
    """

    home: Path
    model: Path
    is_beside: bool = False
    asked: dict[str, object] = field(default_factory=lambda: {"epochs": 3})
    kills: list[tuple[str, str]] = field(default_factory=list)
    outcomes: list[tuple[str, str | None]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    supervisor: subprocess.Popen[bytes] | None = None

    def start_supervisor(self) -> None:
        """Starts `hilum worker` beside the server."""
        with (self.home / "worker.log").open("ab") as log:
            environment = os.environ | self.environment()
            self.supervisor = subprocess.Popen([*hilum_command(), "worker"], env=environment, stdout=log, stderr=log)

    def start(self) -> None:
        """Starts the server, on another port each time, and waits until it is ready."""
        self.port = free_port()
        environment = os.environ | self.environment()
        with (self.home / "server.log").open("ab") as log:
            command = [*hilum_command(), "serve", "--port", str(self.port)]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.wait(lambda: self.ask("GET", "/health/ready") is not None, "the server becomes ready")

    def environment(self) -> dict[str, str]:
        """The server's settings; nothing is promoted, so that what serves must not change."""
        places = {"HILUM_HOME": str(self.home), "HILUM_MODEL": str(self.model), "HILUM_PROMOTION": "manual"}
        return places | {"HILUM_WORKER": str(not self.is_beside).lower()}

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON; None where it is an error or there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"content-type": "application/json"} if data else {})
            response = connection.getresponse()
            said = response.read()
            return json.loads(said) if response.status < 300 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Waits until something is so.

        Raises:
            SystemExit: it does not come about.
        """
        ends_at = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > ends_at:
                raise SystemExit(f"after {_PATIENCE_S} s it is not so that {what}; the log: {self.home / 'server.log'}")
            time.sleep(0.05)

    def newest(self) -> dict[str, Any]:
        """The run asked for last."""
        page = self.ask("GET", "/training-runs?limit=1")
        found: dict[str, Any] = page["items"][0] if page and page["items"] else {"status": "none", "stage": None}
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes that carry runs out."""
        if self.process is None:
            return []
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "hilum.worker" in " ".join(_command(child))]

    def kill(self, victim: str, stage: str) -> None:
        """Kills a process of the server's with SIGKILL, and starts the server again where that ended it."""
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        children = root.children(recursive=True)
        beside = [psutil.Process(self.supervisor.pid)] if self.supervisor is not None else []
        offspring = [*children, *(child for one in beside for child in one.children(recursive=True))]
        workers = [child for child in offspring if "hilum.worker" in " ".join(_command(child))]
        web = [child for child in root.children() if child not in workers and _is_web(child)]
        chosen = {"worker": workers, "supervisor": beside, "web": web, "server": [root]}[victim]
        if not chosen:
            return
        self.kills.append((victim, stage))
        for process in chosen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if victim == "supervisor" and self.supervisor is not None:
            self.supervisor.wait(20)
            self.start_supervisor()
        elif victim != "worker":
            psutil.wait_procs([root, *children], timeout=20)
            for process in (root, *children):  # Granian's parent may outlive its worker, and the other way round
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait(20)
            self.start()

    def stop(self) -> None:
        """Ends the server."""
        for process in (self.supervisor, self.process):
            if process is not None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(40)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kills as often as asked for, prints what came of it and writes the JSON."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    chance = random.Random(options.seed)
    with TemporaryDirectory(prefix="hilum-kill-trial-") as scratch:
        trial = prepare(options.folder or Path(scratch), is_beside=options.beside)
        trial.asked = {"epochs": options.epochs, "mode": options.mode}
        try:
            _kill_over_and_over(trial, options.kills, time.monotonic() + 60 * options.minutes, chance)
        finally:
            trial.stop()
    kills = Counter(trial.kills)
    rows = [(victim, *(kills[victim, stage] for stage in STAGES)) for victim in VICTIMS]
    ended = Counter(status for status, _ in trial.outcomes)
    shown = (
        table(("killed", *STAGES), rows)
        + f"\n{len(trial.kills)} kills over {len(trial.outcomes)} runs: "
        + (
            ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
            + f"; {len(trial.violations)} violations"
        )
    )
    found = {"kills": trial.kills, "outcomes": trial.outcomes, "violations": trial.violations}
    report("kill_trial", about, {"seed": options.seed, **found}, shown, options.out)
    return 1 if trial.violations or len(trial.kills) < options.kills else 0


def prepare(folder: Path, *, is_beside: bool) -> Trial:
    """A champion that learnt from few real slices, and more of them to learn from."""
    trial = Trial(folder.absolute() / "home", folder.absolute() / "champion", is_beside)
    if trial.model.is_dir():
        _start(trial)
        return trial
    data = machine.data_folder() / "chest-ct-scan-images"
    few, more = folder / "few", folder / "more"
    for split in ("train", "test"):
        for source in sorted((data / split).iterdir()):
            files = sorted(source.iterdir())
            step = 12 if source.name == "normal" else 6
            for target, count in ((few, step if split == "train" else 0), (more, 4 * step if split == "train" else 8)):
                (target / split / source.name).mkdir(parents=True, exist_ok=True)
                for file in files[:: max(1, len(files) // max(1, count))][:count]:
                    shutil.copyfile(file, target / split / source.name / file.name)
    trial.home.mkdir(parents=True)
    train = ("train", "--data", str(few), "--out", str(trial.model), "--mode", "head", "--side", "96")
    for command in ((*train, "--epochs", "3", "--no-refit"), ("dataset", "add", str(more))):
        environment = os.environ | trial.environment()
        subprocess.run([*hilum_command(), *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    _start(trial)
    return trial


def _start(trial: Trial) -> None:
    trial.start()
    if trial.is_beside:
        trial.start_supervisor()


def _kill_over_and_over(trial: Trial, count: int, ends_at: float, chance: random.Random) -> None:
    slice_ = [(file.name, file.read_bytes()) for file in machine.test_files(machine.data_folder())[:1]]
    trial.wait(lambda: trial.ask("GET", "/models") is not None, "the registry answers")
    before = _served(trial, slice_)
    while len(trial.kills) < count and time.monotonic() < ends_at:
        if trial.newest()["status"] in {*ENDED, "none"}:
            trial.wait(
                lambda: trial.ask("POST", "/retrain", trial.asked) is not None, "a run is taken"
            )  # once a worker is seen
        stage, victim = (
            chance.choice(STAGES),
            chance.choice(VICTIMS if trial.is_beside else ("worker", "web", "server")),
        )
        run = wait_for_stage(trial, stage)
        if run["status"] in ENDED:
            trial.outcomes.append((run["status"], run["failure"]))
            continue
        time.sleep(chance.uniform(0, 1.0))
        trial.kill(victim, run["stage"] or "queued")
        _check(trial, before, slice_)
        print(f"{len(trial.kills)} kills, the last of {trial.kills[-1] if trial.kills else None}", file=sys.stderr)
    trial.wait(lambda: trial.newest()["status"] in ENDED, "the last run has ended")
    run = trial.newest()
    trial.outcomes.append((run["status"], run["failure"]))
    _check(trial, before, slice_)


def wait_for_stage(trial: Trial, stage: str) -> dict[str, Any]:
    """Waits until the run is at a stage, or past it, or has ended."""
    order = {name: place for place, name in enumerate((*STAGES[:2], "read", *STAGES[2:]))}

    def is_there() -> bool:
        run = trial.newest()
        return run["status"] in ENDED or order.get(run["stage"] or "queued", len(STAGES)) >= order[stage]

    trial.wait(is_there, f"the run is at {stage}")
    return trial.newest()


def _check(trial: Trial, before: dict[str, Any], slice_: list[tuple[str, bytes]]) -> None:
    """What serves is what served before; a run that failed says why."""
    after = _served(trial, slice_)
    if after != before:
        trial.violations.append(f"after {trial.kills[-1]} another answer: {after} instead of {before}")
    run = trial.newest()
    if run["status"] == "failed" and not run["failure"]:
        trial.violations.append(f"run {run['id']} failed and does not say why")
    if run["status"] in {"promoted", "cancelled"}:
        trial.violations.append(f"run {run['id']} is {run['status']}")


def _served(trial: Trial, slice_: list[tuple[str, bytes]]) -> dict[str, Any]:
    (answer,) = predict_all(trial.port, slice_, count=1, connections=1)
    return {name: answer[name] for name in ("model_version", "probabilities")}


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _is_web(process: psutil.Process) -> bool:
    """Python's resource tracker is a child of the server too."""
    return "resource_tracker" not in " ".join(_command(process))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.kill_trial", description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="so many")
    parser.add_argument("--beside", action="store_true", help="carry runs out in a `hilum worker` beside the server")
    parser.add_argument("--mode", choices=("head", "full"), default="head", help="of the runs")
    parser.add_argument("--epochs", type=int, default=3, help="of each run, at the most")
    parser.add_argument("--minutes", type=float, default=60, help="at the most")
    parser.add_argument("--folder", type=Path, help="for its state, which another trial may go on with")
    parser.add_argument("--seed", type=int, default=0, help="of stages, victims and moments")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
