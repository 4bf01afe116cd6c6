// The confusion matrix; a cell leads to the slices that people judged so. Knows that part of metrics.json.
import { address, getJson, sliceAddress } from "../api.js";
import { element, make } from "../dom.js";
import { showFailure, showLoading } from "../states.js";
import { className, count, percent } from "../words.js";

const SHOWN = 24;

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
    on: { click: () => choose(button, truth, said, value) },
  }, make("small", { text: total ? percent(share) : "" }), make("span", { class: "visually-hidden", text: label }));
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

async function choose(button, truth, said, measured) {
  for (const other of element("confusion-table").querySelectorAll('[aria-pressed="true"]')) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", "true");
  const part = element("confusion-slices");
  showLoading(part, "Looking for slices…");
  try {
    const query = { confirmed_class: truth, predicted_class: said };
    const { predictions, next } = await getJson("/predictions", { ...query, limit: SHOWN });
    showSlices(part, predictions, next, query, measured);
  } catch (error) {
    showFailure(part, error, () => choose(button, truth, said, measured));
  }
}

function tile({ id, image_kept: isKept }) {
  const link = make("a", { href: `/?prediction=${encodeURIComponent(id)}`, "aria-label": `Prediction ${id}` });
  link.append(isKept ? make("img", { src: sliceAddress(id, 128), alt: "", loading: "lazy" }) : id.slice(0, 8));
  return link;
}

function showSlices(part, predictions, next, query, measured) {
  const { confirmed_class: truth, predicted_class: said } = query;
  const title = make("h3", { text: `Shows ${className(truth).toLowerCase()}, called ${className(said).toLowerCase()}` });
  const measuredWords = `${count(measured, "slice")} of the measurement; their pictures are not part of the model.`;
  if (predictions.length === 0) {
    part.replaceChildren(title, make("p", { class: "fine", text: `${measuredWords} Nobody has judged an answer here so yet.` }));
    return;
  }
  const all = next ? make("p", {}, make("a", { href: address("/history", query), text: "All of them in the history" })) : null;
  part.replaceChildren(...[
    title,
    make("p", { class: "fine", text: `${measuredWords} Judged so here:` }),
    make("div", { class: "tiles" }, ...predictions.map(tile)),
    all,
  ].filter(Boolean));
}
