"""The bare loop: decode, preprocess, infer over the same files in memory on all cores, without HTTP."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from bench.machine import usable_cores
from hilum.imaging.decode import decode
from hilum.inference.bundle import open_bundle
from hilum.inference.predictor import Predictor
from hilum.services.reference import reference_bundle


def load_predictor(model: Path | None) -> Predictor:
    """The predictor as the server loads it, one core a call; it answers what the gate refuses too."""
    cv2.setNumThreads(1)
    return Predictor.load(model or reference_bundle(), threads=1, answers_all=True)


def answered_files(files: Sequence[Path], model: Path | None) -> list[Path]:
    """The files that the model's gate lets through: an answer with an error would count as a failure."""
    gate = open_bundle(model or reference_bundle()).load_gate(threads=1)
    if gate is None:
        return list(files)
    return [file for file in files if not gate.judge(decode(file.read_bytes(), name=file.name).pixels).is_refused]


def in_threads(predictor: Predictor, files: Sequence[bytes], seconds: float) -> float:
    """Predictions a second of one process with a thread for each core."""
    cores = usable_cores()
    started_at = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        counts = pool.map(lambda core: _predict_until(predictor, files, started_at + seconds, core), range(cores))
    return sum(counts) / (time.perf_counter() - started_at)


class Processes:
    """One process for each core, each with its own predictor, kept for several measurements."""

    def __init__(self, model: Path | None, files: Sequence[bytes]) -> None:
        """Starts them and waits until each has loaded its model."""
        context = multiprocessing.get_context("spawn")
        cores = usable_cores()
        self._pipes: list[Connection] = []
        self._processes = []
        for core in range(cores):
            ours, theirs = context.Pipe()
            process = context.Process(target=_answer_measurements, args=(model, files, core, theirs), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def measure(self, seconds: float) -> float:
        """Predictions a second of all of them together."""
        for pipe in self._pipes:
            pipe.send(seconds)
        return float(sum(pipe.recv() for pipe in self._pipes))

    def close(self) -> None:
        """Ends them."""
        for pipe in self._pipes:
            pipe.send(0.0)
        for process in self._processes:
            process.join()


def _answer_measurements(model: Path | None, files: Sequence[bytes], core: int, pipe: Connection) -> None:
    predictor = load_predictor(model)
    predictor.predict(files[0])
    pipe.send(0.0)
    while seconds := pipe.recv():
        started_at = time.perf_counter()
        count = _predict_until(predictor, files, started_at + seconds, core)
        pipe.send(count / (time.perf_counter() - started_at))


def _predict_until(predictor: Predictor, files: Sequence[bytes], ends_at: float, core: int) -> int:
    """Predicts `files` in turn, each core beginning at another one; returns how many."""
    count = 0
    at = core * len(files) // usable_cores()
    while time.perf_counter() < ends_at:
        predictor.predict(files[(at + count) % len(files)])
        count += 1
    return count
