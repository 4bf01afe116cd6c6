// Two models side by side: figures with intervals, the gate's checks, flipped images. Knows metrics and reports.
import { getJson } from "../api.js";
import { checksTable } from "../checks.js";
import { element, make, setText } from "../dom.js";
import { figureCell, index, row } from "../figures.js";
import { labelCells } from "../tables.js";
import { showFailure, showLoading } from "../states.js";
import { className, count, percent } from "../words.js";
import { flippedPart } from "./flipped.js";

const points = (difference) => `${difference > 0 ? "+" : ""}${(difference * 100).toFixed(1)} points`;
const signed = (difference) => `${difference > 0 ? "+" : ""}${difference.toFixed(3)}`;

/** Each line: label, where metrics have it, how it is written, and whether more is better. */
const LINES = [
  ["Accuracy", (m) => m.accuracy, percent, points, true],
  ["Accuracy without near copies", (m) => m.without_copies?.accuracy, percent, points, true],
  ["Macro F1", (m) => m.macro_f1, index, signed, true],
  ["Macro AUROC", (m) => m.macro_auroc, index, signed, true],
  ["Sensitivity to cancer", (m) => m.cancer?.sensitivity, percent, points, true],
  ["Specificity for cancer", (m) => m.cancer?.specificity, percent, points, true],
  ["Expected calibration error", (m) => m.expected_calibration_error, index, signed, false],
  ["Log loss", (m) => m.log_loss, index, signed, false],
];

const recall = (name) => (m) => m.per_class?.find((one) => one.class_name === name)?.recall;

function lines(left, right) {
  const names = [...new Set([...(left.class_names ?? []), ...(right.class_names ?? [])])];
  return [...LINES, ...names.map((name) => [`Recall of ${className(name).toLowerCase()}`, recall(name), percent, points, true])];
}

function comparedRow([label, find, written, difference, isMoreBetter], left, right, isSameTest) {
  const [a, b] = [find(left), find(right)];
  if (typeof a?.value !== "number" && typeof b?.value !== "number") return null;
  const cell = make("td");
  if (!isSameTest) cell.append(make("span", { class: "fine", text: "other slices" }));
  else if (typeof a?.value === "number" && typeof b?.value === "number") {
    const by = b.value - a.value;
    const isClear = b.low > a.high || b.high < a.low;
    cell.textContent = difference(by);
    if (isClear) cell.className = by > 0 === isMoreBetter ? "is-better" : "is-worse";
    else cell.append(make("span", { class: "interval", text: "intervals overlap" }));
  }
  return row(label, [figureCell(a, written), figureCell(b, written), cell]);
}

const isSame = (left, right) => Boolean(left && right && left.dataset_digest && left.dataset_digest === right.dataset_digest && left.split === right.split && left.n === right.n);

function sameTest(left, right) {
  if (!left || !right) return "One of them was not measured.";
  const where = (m) => `${m.n} slices of ${m.dataset ?? "unknown data"} (${m.split ?? "unknown split"})`;
  if (isSame(left, right)) {
    return `Both were measured on the same ${where(left)}.`;
  }
  return `They were measured on different slices: ${where(left)}, and ${where(right)}. Only the gate’s checks compare like with like.`;
}

/** Shows `left` against `right`, versions of the registry. */
export async function compare(left, right) {
  const state = element("comparison-state");
  element("comparison").hidden = false;
  showLoading(state, "Reading both models…");
  try {
    const [first, second] = await Promise.all([left, right].map((version) => getJson(`/models/${encodeURIComponent(version)}`)));
    show(first, second);
    state.replaceChildren();
  } catch (error) {
    element("compared").hidden = true;
    showFailure(state, error, () => compare(left, right));
  }
}

function show(left, right) {
  element("compared").hidden = false;
  setText("left-head", left.version);
  setText("right-head", right.version);
  setText("same-test", sameTest(left.metrics, right.metrics));
  const [a, b] = [left.metrics ?? {}, right.metrics ?? {}];
  element("compared-rows").replaceChildren(...lines(a, b).map((line) => comparedRow(line, a, b, isSame(left.metrics, right.metrics))).filter(Boolean));
  element("gate").replaceChildren(...gate(right));
  element("flipped").replaceChildren(...flippedPart(right.report));
  element("sources").replaceChildren(...sources(right.report));
  element("card").hidden = !right.card;
  setText("card-text", right.card ?? "");
}

function gate({ report, version }) {
  const table = checksTable(report);
  if (!table) return [];
  const isPassed = report.verdict === "promote";
  return [
    make("h3", { text: "The gate" }),
    make("p", { class: isPassed ? "callout" : "callout callout-care", text: isPassed ? `${version} passed: by no check is it worse than the champion of its time beyond the margin.` : `${version} did not pass against the champion of its time; each check that failed says what it did not show.` }),
    table,
  ];
}

function sources(report) {
  if (!report?.by_source?.length) return [];
  const change = ({ value, low, high }) => make("td", { text: points(value) },
    make("span", { class: "interval", text: `${points(low)} to ${points(high)}` }));
  const rows = report.by_source.map((one) => make("tr", {}, make("th", { scope: "row", text: one.source }),
    make("td", { text: count(one.n, "image") }), make("td", { text: percent(one.a) }), make("td", { text: percent(one.b) }), change(one)));
  const heads = ["Source", "Test images", "Champion", "Challenger", "Difference"].map((text) => make("th", { scope: "col", text }));
  return [make("h3", { text: "Accuracy by source" }),
    make("div", { class: "scroller", role: "group", "aria-label": "Accuracy by source", tabindex: "0" },
      labelCells(make("table", { class: "table table-stack" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows))))];
}
