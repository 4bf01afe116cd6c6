// All runs, and how some of them learned side by side. Knows its part of the page.
import { getJson } from "../api.js";
import { drawLines } from "../charts/lines.js";
import { element, make, oneAtATime } from "../dom.js";
import { showEmpty, showFailure, showLoading } from "../states.js";
import { percent } from "../words.js";
import { bestOf, statusOf, titleOf, tookOf } from "./words.js";

const PAGE = 20;
const MOST_COMPARED = 5;
let runs = [];
let next = null;
const compared = new Set();

function row(run, choose) {
  const { label, pill } = statusOf(run);
  const best = bestOf(run);
  const box = make("input", { type: "checkbox", class: "compare-box", "aria-label": `Compare ${titleOf(run)}`, disabled: run.epochs.length === 0, data: { epochs: String(run.epochs.length) } });
  box.checked = compared.has(run.id);
  box.addEventListener("change", () => toggle(run.id, box));
  const link = make("button", { type: "button", class: "link", text: titleOf(run), on: { click: () => choose(run) } });
  return make("tr", {},
    make("td", {}, box),
    make("th", { scope: "row" }, link, run.note ? make("span", { class: "run-note", text: run.note, title: run.note }) : null),
    make("td", {}, make("span", { class: pill, text: label })),
    make("td", { text: run.n_images.toLocaleString("en") }),
    make("td", { text: String(run.epochs.length || "none") }),
    make("td", { text: best ? `${percent(best.val_accuracy)} (epoch ${best.epoch})` : "none" }),
    make("td", { text: tookOf(run) || "…" }),
    make("td", {}, run.model_version ? make("a", { class: "mono", href: `/registry?model=${encodeURIComponent(run.model_version)}`, text: run.model_version }) : "none"));
}

function toggle(id, box) {
  if (box.checked) compared.add(id);
  else compared.delete(id);
  compare();
}

/** No more can be chosen than curves can be told apart. */
function limit() {
  for (const box of element("runs-rows").querySelectorAll(".compare-box")) {
    box.disabled = box.dataset.epochs === "0" || (compared.size === MOST_COMPARED && !box.checked);
  }
}

function compare() {
  limit();
  const chosen = runs.filter(({ id }) => compared.has(id));
  element("comparison").hidden = chosen.length === 0;
  if (chosen.length === 0) return;
  for (const [id, key] of [["compare-accuracy", "val_accuracy"], ["compare-loss", "val_loss"]]) {
    const curves = chosen.map((run) => ({
      label: titleOf(run),
      points: run.epochs.filter((one) => typeof one[key] === "number").map((one) => ({ x: one.epoch, y: one[key] })),
    }));
    drawLines(element(id), curves, { x: { title: "Epoch", ticks: { precision: 0 } }, hasPoints: true });
  }
}

/**
 * Lists the runs; `choose(run)` is called for the one to look at, `again()` to try again after a failure.
 * Resolves to the newest run, to null where there is none, to undefined where that is not known.
 */
export async function showRuns(choose, again = () => showRuns(choose)) {
  if (runs.length === 0) showLoading(element("runs-state"), "Reading the runs…");
  try {
    const page = await getJson("/training-runs", { limit: PAGE });
    runs = page.items;
    next = page.next;
    list(choose);
  } catch (error) {
    showFailure(element("runs-state"), error, again);
    return undefined;
  }
  return runs[0] ?? null;
}

function list(choose) {
  element("runs-table").hidden = runs.length === 0;
  element("runs-rows").replaceChildren(...runs.map((run) => row(run, choose)));
  element("runs-more").hidden = !next;
  element("more-runs").onclick = oneAtATime(() => more(choose));
  limit();
  if (runs.length) element("runs-state").replaceChildren();
  else showEmpty(element("runs-state"), "Nothing to compare yet", "Every run stays here with its curves and what became of it.");
}

async function more(choose) {
  try {
    const page = await getJson("/training-runs", { limit: PAGE, cursor: next });
    runs = [...runs, ...page.items];
    next = page.next;
    list(choose);
  } catch (error) {
    showFailure(element("runs-state"), error, () => more(choose));
  }
}
