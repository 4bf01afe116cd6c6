// Figures and curves by class, and how far probabilities can be believed. Knows these parts of metrics.json.
import { drawLines } from "../charts/lines.js";
import { element, setText } from "../dom.js";
import { bracketed, figureCell, index, row, textCell } from "../figures.js";
import { className, percent } from "../words.js";

const asPoints = (pairs) => pairs.map(([x, y]) => ({ x, y }));
const DIAGONAL = { label: "", points: [{ x: 0, y: 0 }, { x: 1, y: 1 }], isReference: true };
const UNIT = { min: 0, max: 1 };

export function showClasses(classes) {
  element("classes").hidden = !classes?.length;
  if (!classes?.length) return;
  element("classes-rows").replaceChildren(...classes.map((one) => row(className(one.class_name), [
    textCell(String(one.support)),
    figureCell(one.precision, percent),
    figureCell(one.recall, percent),
    figureCell(one.f1, index),
    figureCell(one.auroc, index),
  ])));
}

export function showRoc(classes) {
  const drawn = (classes ?? []).filter(({ roc }) => roc?.length);
  element("roc").hidden = drawn.length === 0;
  if (drawn.length === 0) return;
  const curves = drawn.map(({ class_name: name, roc }) => ({ label: className(name), points: asPoints(roc) }));
  drawLines(element("roc-chart"), [...curves, DIAGONAL], {
    x: { ...UNIT, title: "False alarms" }, y: { ...UNIT, title: "Found" },
  });
}

function reliabilityRow({ lower, upper, n, mean_confidence: said, accuracy }) {
  const written = (value) => textCell(typeof value === "number" ? percent(value) : "none");
  return row(`${percent(lower)} to ${percent(upper)}`, [textCell(String(n)), written(said), written(accuracy)]);
}

/** Larger points rest on more slices. */
function reliabilityPoints(bins) {
  const most = Math.max(...bins.map(({ n }) => n));
  return bins.filter(({ n }) => n > 0).map(({ mean_confidence: x, accuracy: y, n }) => ({ x, y, radius: 3 + 7 * Math.sqrt(n / most) }));
}

export function showReliability(bins, error, loss) {
  element("calibration").hidden = !bins?.some(({ n }) => n > 0);
  if (element("calibration").hidden) return;
  const points = (value) => (value * 100).toFixed(1);
  const isMeasured = (figure) => typeof figure?.value === "number";
  const expected = isMeasured(error) ? ` On average they are off by ${points(error.value)} points${bracketed(error, points)}.` : "";
  const proper = isMeasured(loss) ? ` Log loss, which wrong answers raise too: ${index(loss.value)}${bracketed(loss, index)}; lower is better.` : "";
  setText("calibration-note", `On the line, answers are right as often as they say. Larger points: more slices.${expected}${proper}`);
  drawLines(element("reliability-chart"), [{ label: "Measured", points: reliabilityPoints(bins), isLoose: true }, DIAGONAL], {
    x: { ...UNIT, title: "Said" }, y: { ...UNIT, title: "Were right" }, hasPoints: true, hasLegend: false,
  });
  element("reliability-rows").replaceChildren(...bins.filter(({ n }) => n > 0).map(reliabilityRow));
}
