// What was measured of the served model. Knows metrics.json and its section of the page.
import { measuredPerformance, Refusal } from "./api.js";
import { percent } from "./words.js";

const element = (id) => document.getElementById(id);

const share = (value) => percent(value);
const index = (value) => value.toFixed(3);

/** Each card: its label, where metrics.json has its figure `{value, low, high, n}`, and how it is written. */
const FIGURES = [
  ["Accuracy", (metrics) => metrics.accuracy, share],
  ["Macro F1", (metrics) => metrics.macro_f1, index],
  ["Macro AUROC", (metrics) => metrics.macro_auroc, index],
  ["Sensitivity to cancer", (metrics) => metrics.cancer?.sensitivity, share],
  ["Specificity for cancer", (metrics) => metrics.cancer?.specificity, share],
  ["Accuracy without near copies", (metrics) => metrics.without_copies?.accuracy, share],
];

function card(label, { value, low, high }, written) {
  const box = document.createElement("div");
  const term = document.createElement("dt");
  term.textContent = label;
  const detail = document.createElement("dd");
  detail.textContent = written(value);
  box.append(term, detail);
  if (typeof low === "number" && typeof high === "number") {
    const interval = document.createElement("dd");
    interval.className = "interval";
    interval.textContent = `${written(low)} to ${written(high)}`;
    box.append(interval);
  }
  return box;
}

function note(metrics) {
  const version = document.createElement("span");
  version.className = "version";
  version.textContent = metrics.model_version;
  const from = metrics.n ? `Measured on ${metrics.n} slices set aside from training, with 95\u00a0% intervals. ` : "";
  const copies = metrics.without_copies
    ? `${metrics.without_copies.n} of them have no near copy among the training slices; those figures are the more honest. `
    : "";
  return [`${from}${copies}Other scanners, protocols and patients can give other figures. Model `, version, "."];
}

function show(metrics) {
  const cards = FIGURES
    .map(([label, find, written]) => [label, find(metrics), written])
    .filter(([, figure]) => typeof figure?.value === "number")
    .map(([label, figure, written]) => card(label, figure, written));
  element("figures").replaceChildren(...cards);
  element("figures").hidden = cards.length === 0;
  element("performance-note").replaceChildren(...note(metrics));
}

export async function showPerformance() {
  try {
    show(await measuredPerformance());
  } catch (error) {
    const isUnmeasured = error instanceof Refusal && error.problem.code === "metrics-missing";
    element("performance-note").textContent = isUnmeasured
      ? "The performance of this model was not measured. Treat every answer accordingly."
      : "What was measured of this model could not be read.";
  }
}
