// What a person says the slice shows: one click confirms or corrects. Knows its part of the page.
import { confirmClass } from "../api.js";
import { element, make, setText } from "../dom.js";
import { problemOf } from "../states.js";
import { className, sentence } from "../words.js";

let shown = null;
const underWay = new Set();

function note(item) {
  if (!item.answer.stored) return "This answer was not stored, so nothing can be noted about it.";
  if (!item.confirmed) return "One click is kept and can be learned from; another replaces it.";
  const agrees = item.confirmed === item.answer.predicted_class;
  return `Kept: ${agrees ? "you confirmed" : "you corrected the answer to"} ${className(item.confirmed).toLowerCase()}.`;
}

function choice(item, name) {
  const isChosen = item.confirmed === name;
  return make("button", {
    type: "button",
    class: "button button-small verdict-choice",
    "aria-pressed": String(isChosen),
    disabled: !item.answer.stored,
    text: className(name),
    on: { click: () => keep(item, name) },
  });
}

/** Keeps a click; by its answer another slice may be shown, which it says nothing about. */
async function keep(item, name) {
  if (underWay.has(item)) return;
  underWay.add(item);
  setText("verdict-note", "Keeping…");
  try {
    item.confirmed = (await confirmClass(item.answer.id, name)).confirmed_class;
    if (item !== shown) return;
    showVerdict(item);
    element("verdict-choices").querySelector('[aria-pressed="true"]')?.focus();
  } catch (error) {
    const problem = problemOf(error);
    if (item === shown) setText("verdict-note", `Not kept. ${problem.title}: ${sentence(problem.detail)}`);
  } finally {
    underWay.delete(item);
  }
}

/** Offers the classes of the answer, the predicted one first. */
export function showVerdict(item) {
  shown = item;
  const { predicted_class: predicted, probabilities } = item.answer;
  const names = Object.keys(probabilities).sort((a, b) => probabilities[b] - probabilities[a]);
  if (item.confirmed && !names.includes(item.confirmed)) names.push(item.confirmed);
  const first = [predicted, ...names.filter((name) => name !== predicted)];
  element("verdict-choices").replaceChildren(...first.map((name) => choice(item, name)));
  setText("verdict-note", note(item));
}
