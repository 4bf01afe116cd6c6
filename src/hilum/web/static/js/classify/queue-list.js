// The list of slices beside the viewer. Knows its elements and the items it shows, not how they are answered.
import { downloadCsv } from "../csv.js";
import { element, make, oncePerFrame, setText } from "../dom.js";
import { asProbability, className, count } from "../words.js";

const rows = new Map();
const STATES = { waiting: "waiting", busy: "reading…" };

function outcome({ state, answer, unfolded }) {
  if (unfolded) return "zip";
  return state === "answered" ? answer.decision : state;
}

function words(item) {
  if (item.unfolded) return count(item.unfolded.length, "slice");
  if (item.state === "refused") return item.problem.title;
  if (item.state !== "answered") return STATES[item.state];
  const { predicted_class: name, probabilities } = item.answer;
  return `${className(name)} ${asProbability(probabilities[name])}`;
}

/** What the colour of a row's mark says, for those who do not see it. */
const markWords = (item) => (outcome(item) === "review" ? ", to review" : "");

function fill(row, item) {
  row.dataset.outcome = outcome(item);
  row.querySelector(".queue-words").replaceChildren(words(item), make("span", { class: "visually-hidden", text: markWords(item) }));
}

/** Adds rows for `items`; `choose(item)` is called when one is picked. */
export function addRows(items, choose) {
  const made = items.map((item) => {
    const button = make("button", { type: "button", class: "queue-item", title: item.name, on: { click: () => choose(item) } },
      make("span", { class: "queue-name", text: item.name }), make("span", { class: "queue-words" }));
    const row = make("li", {}, button);
    rows.set(item.key, row);
    fill(row, item);
    return row;
  });
  element("queue-list").append(...made);
}

export const showRow = (item) => fill(rows.get(item.key), item);

/** Marks the row of the slice in the viewer. */
export function markRow(item) {
  for (const marked of element("queue-list").querySelectorAll("[aria-current]")) marked.removeAttribute("aria-current");
  const button = rows.get(item?.key)?.firstElementChild;
  button?.setAttribute("aria-current", "true");
  button?.scrollIntoView({ block: "nearest" });
}

/** Shows how far the queue is, at most once a frame. */
export function summary(queue) {
  return oncePerFrame(() => {
    const { waiting, busy, answered, refused } = queue.counts;
    const total = queue.items.length;
    const isMany = total > 1;
    element("queue").hidden = !isMany;
    element("workbench").classList.toggle("has-queue", isMany);
    element("queue-progress").max = Math.max(1, total);
    element("queue-progress").value = answered + refused;
    element("queue-stop").hidden = waiting + busy === 0;
    const toReview = queue.items.filter((item) => outcome(item) === "review").length;
    const parts = [`${answered + refused} of ${total}`, toReview && `${toReview} to review`, refused && `${refused} not classified`];
    setText("queue-summary", parts.filter(Boolean).join(" · "));
  });
}

export function clearRows() {
  rows.clear();
  element("queue-list").replaceChildren();
}

/** Steps through the list by the arrow keys. */
function step(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const shown = [...element("queue-list").querySelectorAll(".queue-item")].filter((button) => button.checkVisibility());
  const at = shown.indexOf(document.activeElement);
  const next = shown[at < 0 ? 0 : at + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.click();
}

const COLUMNS = ["file", "predicted_class", "probability", "decision", "warnings", "prediction_id", "model_version", "problem"];

function line(item) {
  const { answer, problem } = item;
  if (!answer) return [item.name, "", "", "", "", "", "", problem?.code ?? problem?.title ?? item.state];
  const { predicted_class: name, probabilities, decision, warnings, id, model_version: version } = answer;
  return [item.name, name, probabilities[name], decision, warnings.join(" "), id, version, ""];
}

/** Hands the person the answers with the files' names, which the server does not keep. */
export function exportRows(items) {
  downloadCsv("slices.csv", [COLUMNS, ...items.filter(({ unfolded }) => !unfolded).map(line)]);
}

element("queue-list").addEventListener("keydown", step);
element("queue-filter").addEventListener("change", (event) => { element("queue-list").dataset.show = event.target.value; });
