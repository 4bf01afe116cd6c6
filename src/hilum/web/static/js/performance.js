// What was measured of the served model. Knows metrics.json and its section of the page.
import { measuredPerformance, Refusal } from "./api.js";
import { showImportance } from "./importance.js";
import { showHeatCheck, showRobustness } from "./robustness.js";
import { showSplits } from "./splits.js";
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
  const sentences = [whereMeasured(metrics), trainedOn(metrics.n_trained_on), withoutCopies(metrics.without_copies)];
  const general = "Other scanners, protocols and patients can give other figures. Model ";
  return [[...sentences, general].filter(Boolean).join(" "), version, "."];
}

function whereMeasured({ n, split, dataset }) {
  if (!n) return "";
  const from = split && dataset ? ` of ${dataset} (${split})` : "";
  return `Measured on ${n} slices${from}, with 95\u00a0% intervals.`;
}

function trainedOn(count) {
  if (count === undefined) return "";
  return count === 0
    ? "The model was trained on none of them."
    : `The model was also trained on ${count} of them, so these figures flatter it.`;
}

function withoutCopies(figures) {
  return figures ? `${figures.n} have no near copy among the slices trained on; their figures are the more honest.` : "";
}

function show(metrics) {
  const cards = FIGURES
    .map(([label, find, written]) => [label, find(metrics), written])
    .filter(([, figure]) => typeof figure?.value === "number")
    .map(([label, figure, written]) => card(label, figure, written));
  element("figures").replaceChildren(...cards);
  element("figures").hidden = cards.length === 0;
  element("performance-note").replaceChildren(...note(metrics));
  showSplits(metrics.split_truth, metrics.external);
  showImportance(metrics.feature_importance);
  showRobustness(metrics.robustness);
  showHeatCheck(metrics.explanation_check);
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
