// The confusion matrix; a cell leads to its slices. Knows that part of metrics.json.
import { element, make } from "../dom.js";
import { className, percent } from "../words.js";
import { showCell } from "./cell.js";

/** How strongly a cell is tinted: by its share of the row. */
function depth(share) {
  if (share >= 0.5) return "2";
  return share > 0.005 ? "1" : "0";
}

function cell(value, total, truth, said) {
  const share = total ? value / total : 0;
  const isRight = truth === said;
  const strength = isRight ? depth(share) : depth(share * 8);
  const label = ` ${className(truth)} called ${className(said).toLowerCase()}`;
  const button = make("button", {
    type: "button",
    class: `cell ${isRight ? "cell-right" : "cell-wrong"}`,
    "aria-pressed": "false",
    data: { depth: strength },
    text: String(value),
    on: { click: () => choose(button, truth, said) },
  }, make("small", { text: total ? ` ${percent(share)}` : "" }), make("span", { class: "visually-hidden", text: label }));
  return make("td", {}, button);
}

export function showConfusion(matrix, names) {
  element("confusion").hidden = !matrix || !names;
  if (!matrix || !names) return;
  const head = make("tr", {}, make("td"), ...names.map((name) => make("th", { scope: "col", text: className(name) })));
  const rows = matrix.map((values, index) => {
    const total = values.reduce((sum, value) => sum + value, 0);
    const cells = values.map((value, column) => cell(value, total, names[index], names[column]));
    return make("tr", {}, make("th", { scope: "row", text: className(names[index]) }), ...cells);
  });
  element("confusion-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function choose(button, truth, said) {
  for (const other of element("confusion-table").querySelectorAll('[aria-pressed="true"]')) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", "true");
  showCell(element("confusion-slices"), truth, said);
}
