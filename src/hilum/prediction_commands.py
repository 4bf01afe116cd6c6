"""`hilum predict`. Thin like the command line it belongs to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.command_inputs import predictor_of, read_input
from hilum.errors import InputRejected, NotAChestCt
from hilum.study_commands import predict_study, write_slice_report

if TYPE_CHECKING:
    from hilum.inference.predictor import Prediction


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--model", type=click.Path(path_type=Path), help="Bundle to use [HILUM_MODEL, the reference model].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@click.option("--explain", type=click.Path(path_type=Path), help="Write the heat map over the slice (one FILE only).")
@click.option("--similar", type=click.IntRange(0, 20), default=0, help="Name so many most similar training slices.")
@click.option("--study", is_flag=True, help="FILE is a folder or zip of one series: say what its slices say together.")
@click.option("--sr", type=click.Path(path_type=Path), help="Write a DICOM SR (one FILE only).")
def predict(
    files: tuple[Path, ...],
    model: Path | None,
    *,
    as_json: bool,
    explain: Path | None,
    similar: int,
    study: bool,
    sr: Path | None,
) -> None:
    """Classify images and DICOM slices.

    \b
    Examples:
      hilum predict slice.png
      hilum predict --json series/*.dcm
      hilum predict slice.png --explain heat-map.png
      hilum predict slice.png --similar 5
      hilum predict --study series.zip --sr report.dcm
    """
    if (explain or study or sr) and len(files) > 1:
        raise click.UsageError("--explain, --study and --sr take one FILE")
    if study and (explain or similar):
        raise click.UsageError("--study goes with --sr and --json only")
    _check_folders(explain, sr)
    predictor = predictor_of(model)
    if study:
        sys.exit(predict_study(files[0], predictor, as_json=as_json, report=sr))
    rows: list[dict[str, Any]] = []
    worst = 0
    for file in files:
        try:
            prediction = predictor.predict(read_input(file), name=file.name, similar=similar)
            rows.append({"file": str(file), **prediction.to_dict()})
            if explain:
                _write_heat_map(prediction, explain)
        except InputRejected as error:
            rows.append({"file": str(file), **_refusal(error)})
            worst = error.exit_code
        if as_json:
            click.echo(json.dumps(rows[-1]))
    if not as_json:
        from hilum.terminal import print_predictions

        print_predictions(rows)
    if sr and not worst:
        write_slice_report(files[0], predictor, sr)
    sys.exit(worst)


def _refusal(error: InputRejected) -> dict[str, Any]:
    reasons = {"reasons": list(error.reasons)} if isinstance(error, NotAChestCt) else {}
    return {"code": error.code, "detail": error.detail, **reasons}


def _check_folders(*files: Path | None) -> None:
    for file in files:
        if file and not file.parent.is_dir():
            raise click.UsageError(f"there is no folder {str(file.parent)!r} to write {file.name!r} into")


def _write_heat_map(prediction: Prediction, file: Path) -> None:
    from hilum.inference.explain import overlay_png

    file.write_bytes(overlay_png(prediction))
    click.echo(f"heat map written to {file}", err=True)
