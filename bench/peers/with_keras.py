"""FastAPI and Keras as tutorials put them together: `uvicorn bench.peers.with_keras:app`, bundle in the environment."""

from __future__ import annotations

import io
import os
from pathlib import Path

import keras
import numpy as np
from fastapi import FastAPI, UploadFile
from PIL import Image

app = FastAPI()
model = keras.models.load_model(Path(os.environ["BENCH_BUNDLE"]) / "model.keras")
side = model.input_shape[1]
classes = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")


@app.post("/predict")
async def predict(file: UploadFile) -> dict[str, object]:
    """Classifies a slice."""
    image = Image.open(io.BytesIO(await file.read())).convert("L").resize((side, side))
    batch = np.expand_dims(np.asarray(image, np.float32)[..., np.newaxis] / 255, 0)  # (1, side, side, 1)
    scores = np.asarray(model.predict(batch, verbose=0))[0]
    return {"predicted_class": classes[int(scores.argmax())], "scores": scores.tolist()}
