"""`hilum drift fit` describes the slices a bundle was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from hilum.cli import main
from hilum.inference.bundle import add_to_bundle, file_digest
from hilum.inference.input_reference import INPUTS, InputReference
from hilum.services.model import load_model
from known_bundle import phantom_png


def test_describes_the_slices_a_bundle_was_trained_on(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle, data = tmp_path / "tiny", tmp_path / "data" / "normal"
    shutil.copytree(tiny_bundle, bundle)
    data.mkdir(parents=True)
    for seed in range(6):
        (data / f"{seed}.png").write_bytes(phantom_png(seed))
    trained = [file_digest(data / f"{seed}.png") for seed in range(4)]
    (bundle / "training.json").write_text(json.dumps({"trained_on_sha256": trained}))
    add_to_bundle(bundle, [bundle / "training.json"])
    arguments = ["drift", "fit", "--model", str(bundle), "--data", str(data.parent)]

    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    reference = InputReference.load(bundle / INPUTS)
    assert reference.n == 4
    assert load_model(bundle).input_reference == reference
    (data / "0.png").unlink()
    refused = CliRunner().invoke(main, arguments)
    assert (refused.exit_code, "1 of the slices" in refused.output) == (5, True)
