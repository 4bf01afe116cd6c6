// What was measured of the served model. Knows metrics.json and wires the page.
import { measuredPerformance, Refusal } from "../api.js";
import { element, make } from "../dom.js";
import { figureCard, index } from "../figures.js";
import { showEmpty, showFailure, showLoading } from "../states.js";
import { percent } from "../words.js";
import { showClasses, showReliability, showRoc } from "./classes.js";
import { showConfusion } from "./confusion.js";
import { showDrift } from "./drift.js";
import { showImportance } from "./importance.js";
import { showDistribution, showLearning } from "./learning.js";
import { showHeatCheck, showRobustness } from "./robustness.js";
import { showService } from "./service.js";
import { showSplits } from "./splits.js";

/** Each card: its label, where metrics.json has its figure `{value, low, high, n}`, and how it is written. */
const FIGURES = [
  ["Accuracy", (metrics) => metrics.accuracy, percent],
  ["Macro F1", (metrics) => metrics.macro_f1, index],
  ["Macro AUROC", (metrics) => metrics.macro_auroc, index],
  ["Sensitivity to cancer", (metrics) => metrics.cancer?.sensitivity, percent],
  ["Specificity for cancer", (metrics) => metrics.cancer?.specificity, percent],
  ["Accuracy without near copies", (metrics) => metrics.without_copies?.accuracy, percent],
];

function note(metrics) {
  const version = make("span", { class: "version", text: metrics.model_version });
  const sentences = [whereMeasured(metrics), trainedOn(metrics.n_trained_on), withoutCopies(metrics.without_copies)];
  const general = "Other scanners, protocols and patients can give other figures. Model ";
  return [[...sentences, general].filter(Boolean).join(" "), version, "."];
}

function whereMeasured({ n, split, dataset }) {
  if (!n) return "";
  const from = split && dataset ? ` of ${dataset} (${split})` : "";
  return `Measured on ${n} slices${from}, with 95\u00a0% intervals; slices of one patient are alike, so the true ones are wider.`;
}

function trainedOn(count) {
  if (count === undefined) return "";
  return count === 0
    ? "None of these very files was trained on."
    : `The model was also trained on ${count} of these very files, so these figures flatter it.`;
}

function withoutCopies(figures) {
  return figures ? `${figures.n} have no near copy among the slices trained on; their figures are the more honest.` : "";
}

/** Links to the parts of the page that are shown. */
function jumps() {
  const parts = [...document.querySelectorAll("#performance section[id], #drift, #service")].filter((part) => !part.hidden);
  return parts.map((part) => make("li", {}, make("a", { href: `#${part.id}`, text: part.querySelector("h2").textContent })));
}

function show(metrics) {
  element("performance").hidden = false;
  const cards = FIGURES
    .map(([label, find, written]) => [label, find(metrics), written])
    .filter(([, figure]) => typeof figure?.value === "number")
    .map(([label, figure, written]) => figureCard(label, figure, written));
  element("figures").replaceChildren(...cards);
  element("performance-note").replaceChildren(...note(metrics));
  showConfusion(metrics.confusion_matrix, metrics.class_names);
  showClasses(metrics.per_class);
  showRoc(metrics.per_class);
  showReliability(metrics.reliability, metrics.expected_calibration_error, metrics.log_loss);
  showSplits(metrics.split_truth, metrics.external);
  showImportance(metrics.feature_importance);
  showRobustness(metrics.robustness);
  showHeatCheck(metrics.explanation_check);
  showLearning(metrics.training_history);
  showDistribution(metrics.class_distribution);
  element("jumps").replaceChildren(...jumps());
}

async function showPerformance() {
  showLoading(element("performance-state"), "Reading what was measured…");
  try {
    show(await measuredPerformance());
    element("performance-state").replaceChildren();
  } catch (error) {
    if (error instanceof Refusal && error.problem.code === "metrics-missing") {
      element("performance-note").textContent = "The performance of this model was not measured. Treat every answer accordingly.";
      showEmpty(element("performance-state"), "Nothing was measured", "hilum evaluate measures a model on labelled slices and writes what it finds into its bundle.");
      return;
    }
    element("performance-note").textContent = "What was measured of this model could not be read.";
    showFailure(element("performance-state"), error, showPerformance);
  }
}

showPerformance();
showDrift();
showService();
