// How the model learned, and from what: its epochs and its classes by split. Knows these parts of metrics.json.
import { drawLines } from "../charts/lines.js";
import { drawStacks } from "../charts/stacks.js";
import { element, make } from "../dom.js";
import { className } from "../words.js";

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
    x: { title: "Epoch", suggestedMin: 1, suggestedMax: most, ticks: { precision: 0 } },
    y: measure === "accuracy" ? { suggestedMin: 0.4, max: 1 } : { min: 0 },
    hasPoints: epochs.length < 40,
  });
}

export function showLearning(epochs) {
  element("learning").hidden = !epochs?.length;
  if (!epochs?.length) return;
  drawEpochs(element("accuracy-chart"), epochs, "accuracy");
  drawEpochs(element("loss-chart"), epochs, "loss");
}

export function showDistribution(bySplit) {
  const splits = Object.keys(bySplit ?? {});
  element("distribution").hidden = splits.length === 0;
  if (splits.length === 0) return;
  const names = [...new Set(splits.flatMap((split) => Object.keys(bySplit[split])))].sort();
  const parts = splits.map((split) => ({ label: split, values: names.map((name) => bySplit[split][name] ?? 0) }));
  drawStacks(element("distribution-chart"), names.map(className), parts);
  const head = make("tr", {}, make("th", { scope: "col", text: "Class" }), ...splits.map((split) => make("th", { scope: "col", text: split })));
  const rows = names.map((name) => make("tr", {}, make("th", { scope: "row", text: className(name) }),
    ...splits.map((split) => make("td", { text: String(bySplit[split][name] ?? 0) }))));
  element("distribution-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}
