"""The command line: a thin door. Imports what a command needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from hilum.access_commands import audit_log, keys
from hilum.batch_commands import batch, batches_group
from hilum.command_inputs import settings_of
from hilum.dataset_commands import audit, dataset
from hilum.drift_commands import drift
from hilum.errors import HilumError
from hilum.gate_commands import gate
from hilum.learning_commands import evaluate, train
from hilum.model_commands import models
from hilum.prediction_commands import predict
from hilum.state_commands import db, replay
from hilum.training_commands import retrain, runs, worker

_EPILOG = """\b
Exit codes: 0 done, 1 unexpected, 2 wrong usage, 3 an input cannot be used, 4 a data set cannot be used,
5 a model cannot be served, 6 training failed, 7 state cannot be used, 8 an answer was not reproduced,
9 a file or folder cannot be read or written.

hilum is research software, not a medical device."""


_FILE_EXIT_CODE = 9
_INTERRUPTED = 128 + signal.SIGINT
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_CONTEXT = {"help_option_names": ["-h", "--help"], "obj": settings_of}


class _Door(click.Group):
    """Turns hilum's errors, and the system's about files, into one line on standard error and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):  # a file's name need not be text
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except HilumError as error:
            click.echo(f"hilum: {error.title}: {error.detail}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("hilum: interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except click.FileError as error:
            click.echo(f"hilum: {error.format_message()}", err=True)
            ctx.exit(_FILE_EXIT_CODE)
        except OSError as error:
            if error.filename is None and error.errno not in _NO_ROOM:  # no file's fault; a closed pipe is click's
                raise
            told = f"{os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes) else "a file"
            click.echo(f"hilum: {told} cannot be read or written: {error.strerror}", err=True)
            ctx.exit(_FILE_EXIT_CODE)


@click.group(cls=_Door, epilog=_EPILOG, context_settings=_CONTEXT)
@click.version_option(package_name="hilum")
def main() -> None:
    """Classifies chest CT slices: train, evaluate, predict, serve.

    \b
    Examples:
      hilum serve
      hilum predict slice.png --explain heat-map.png
      hilum train --data path/to/dataset --out models/mine
      hilum evaluate --model models/mine --data path/to/dataset
    """


@main.command()
@click.option("--host", help="Address to listen on [HILUM_HOST, 127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on [HILUM_PORT, 8000].")
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to serve, whatever is promoted.")
def serve(host: str | None, port: int | None, model: Path | None) -> None:
    """Start the API and the dashboard.

    Serves the registry's champion, which is the reference model until another is promoted. --model serves that bundle
    instead and follows no promotion.

    \b
    Example:
      hilum serve --port 9000 --model models/mine
    """
    from hilum.web.server import serve as serve_web

    given = {"host": host, "port": port, "model": model, "follow_champion": None if model is None else False}
    serve_web(settings_of(**{name: value for name, value in given.items() if value is not None}))


for command in (
    predict,
    train,
    evaluate,
    audit,
    dataset,
    gate,
    drift,
    models,
    batch,
    batches_group,
    retrain,
    runs,
    worker,
    db,
    keys,
    audit_log,
    replay,
):
    main.add_command(command)
