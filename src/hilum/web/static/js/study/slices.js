// The slices of a series beside the viewer, in their order, and the files that were refused. Knows its list.
import { element, make } from "../dom.js";
import { asProbability, className } from "../words.js";
import { place } from "./words.js";

const rows = new Map();

function outcomeOf({ result }) {
  const { predicted_class: name, probabilities } = result;
  return `${className(name)} ${asProbability(probabilities[name])}`;
}

function row(slice, choose) {
  const where = place(slice.position);
  const button = make("button", { type: "button", class: "queue-item", on: { click: () => choose(slice) } },
    make("span", { class: "queue-name", title: slice.name }, make("span", { class: "queue-file", text: slice.name }), where ? make("span", { class: "queue-place", text: ` · ${where}` }) : null),
    make("span", { class: "queue-words", text: outcomeOf(slice) }, slice.result.decision === "review" ? make("span", { class: "visually-hidden", text: ", to review" }) : null));
  rows.set(slice, button);
  return make("li", { data: { outcome: slice.result.decision } }, button);
}

function refused({ name, problem }) {
  return make("li", { data: { outcome: "refused" } },
    make("p", { class: "queue-item" }, make("span", { class: "queue-name", text: name }), make("span", { class: "queue-words", text: problem.title })));
}

export function showSlices(slices, problems, choose) {
  rows.clear();
  element("slices-list").replaceChildren(...slices.map((slice) => row(slice, choose)), ...problems.map(refused));
}

export function markSlice(slice) {
  for (const marked of element("slices-list").querySelectorAll("[aria-current]")) marked.removeAttribute("aria-current");
  rows.get(slice)?.setAttribute("aria-current", "true");
  rows.get(slice)?.scrollIntoView({ block: "nearest" });
}

element("slices-list").addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const buttons = [...rows.values()];
  const next = by && buttons[buttons.indexOf(document.activeElement) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.click();
});
