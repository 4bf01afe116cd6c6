// Whether recent slices are like those the model learned from. Knows `GET /monitoring/drift`.
import { getJson } from "../api.js";
import { element, make, setText } from "../dom.js";
import { index, row, textCell } from "../figures.js";
import { showFailure, showLoading } from "../states.js";
import { className, count, percent } from "../words.js";

const STATUS = {
  steady: ["Steady", "pill pill-good"],
  drift: ["Drift", "pill pill-care"],
  "too-few": ["Too few answers yet", "pill"],
  "no-reference": ["Nothing to compare with", "pill"],
};
const BEYOND = "beyond the threshold";
const number = (value) => (typeof value === "number" ? value.toPrecision(3) : "none");

function note({ status, n, reference_n: learned, threshold }) {
  if (status === "no-reference") return "The served model does not say what its training slices were like.";
  if (status === "too-few") return `${count(n, "recent slice")} so far; 50 are needed to say whether they are like the training ones.`;
  const beyond = `A stability index above ${threshold} alerts; it compares how values spread, and is 0 where they spread alike.`;
  return `The newest ${count(n, "slice")} against ${count(learned, "training slice")}. ${beyond}`;
}

function inputRow({ name, psi, reference_median: before, recent_median: now, is_alert: isAlert }) {
  return row(className(name), [textCell(number(before)), textCell(number(now)), textCell(index(psi))], { isWorst: isAlert, note: isAlert ? BEYOND : "" });
}

function classRows(predictions) {
  if (!predictions) return [];
  const { reference, recent, psi, is_alert: isAlert } = predictions;
  const share = (value) => textCell(percent(value ?? 0));
  const names = [...new Set([...Object.keys(reference), ...Object.keys(recent)])].sort();
  return names.map((name) => row(`Answered ${className(name).toLowerCase()}`, [share(reference[name]), share(recent[name]), textCell(index(psi))], { isWorst: isAlert, note: isAlert ? BEYOND : "" }));
}

/** Shows how recent inputs and answers differ from those of the training. */
export async function showDrift() {
  showLoading(element("drift-state"), "Comparing…");
  try {
    const found = await getJson("/monitoring/drift");
    const [label, pill] = STATUS[found.status] ?? [found.status, "pill"];
    const rows = [...found.inputs.map(inputRow), ...classRows(found.predictions)];
    element("drift-state").replaceChildren(make("span", { class: pill, text: label }));
    setText("drift-note", note(found));
    element("drift-rows").replaceChildren(...rows);
    element("drift-table").hidden = rows.length === 0;
  } catch (error) {
    showFailure(element("drift-state"), error, showDrift);
  }
}
