// Draws how a model learns: accuracy or loss by epoch. Knows rows of a training history.
import { drawLines } from "./lines.js";

const LINES = { accuracy: ["accuracy", "val_accuracy"], loss: ["loss", "val_loss"] };
const NAMES = ["Training", "Validation"];

/** Draws `accuracy` or `loss` of `epochs` on `canvas`. */
export function drawEpochs(canvas, epochs, measure) {
  const curves = LINES[measure].map((key, place) => ({
    label: NAMES[place],
    points: epochs.filter((one) => typeof one[key] === "number").map((one) => ({ x: one.epoch, y: one[key] })),
    isDashed: place === 1,
  }));
  const most = epochs.length ? epochs.at(-1).epoch : 1;
  drawLines(canvas, curves, {
    x: { title: "Epoch", suggestedMin: most < 20 ? 1 : 0, suggestedMax: most, bounds: "data", ticks: { precision: 0, includeBounds: false } },
    y: measure === "accuracy" ? { suggestedMin: 0.4, max: 1 } : { min: 0 },
    hasPoints: epochs.length < 40,
  });
}
