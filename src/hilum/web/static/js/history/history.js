// Wires the history: filters live in the address, pages go by key.
import { address, getJson, servedClasses } from "../api.js";
import { element, make, setText } from "../dom.js";
import { showEmpty, showFailure, showLoading } from "../states.js";
import { className } from "../words.js";
import { historyRow } from "./rows.js";

const PAGE = 50;
const FILTERS = ["search", "predicted_class", "decision", "feedback", "confirmed_class", "since", "until"];
let cursors = [null];
let next = null;
let turn = 0;

/** The filters as the API takes them: a day until which is asked for is included. */
function wanted() {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, element(name).value.trim()]));
  if (filters.since) filters.since = new Date(`${filters.since}T00:00`).toISOString();
  if (filters.until) {
    const day = new Date(`${filters.until}T00:00`);
    day.setDate(day.getDate() + 1);
    filters.until = day.toISOString();
  }
  return filters;
}

function isFiltered() {
  return FILTERS.some((name) => element(name).value.trim() !== "");
}

function remember() {
  const said = Object.fromEntries(FILTERS.map((name) => [name, element(name).value.trim()]));
  history.replaceState({ cursors }, "", address("/history", said)); // so that Back and reload find the same page
  element("clear").hidden = !isFiltered();
  element("export").href = address("/predictions.csv", wanted());
}

function showNothing() {
  if (isFiltered()) {
    showEmpty(element("history-state"), "Nothing matches", "No prediction fits these filters.");
  } else {
    showEmpty(element("history-state"), "No predictions yet", "What the model answers is kept here, with its picture, so that it can be found, confirmed and made again.",
      [{ label: "Classify a slice", href: "/" }]);
  }
}

async function show() {
  const mine = (turn += 1);
  if (element("history-table").hidden) showLoading(element("history-state"), "Reading the history…");
  element("history-table").setAttribute("aria-busy", "true");
  try {
    const page = await getJson("/predictions", { ...wanted(), limit: PAGE, cursor: cursors.at(-1) });
    if (mine !== turn) return;
    showPage(page);
  } catch (error) {
    if (mine !== turn) return;
    element("history-table").hidden = true;
    element("pager").hidden = true;
    showFailure(element("history-state"), error, show);
  }
  element("history-table").removeAttribute("aria-busy");
}

function showPage({ items, next: following }) {
  next = following;
  const isEmpty = items.length === 0;
  element("history-rows").replaceChildren(...items.map(historyRow));
  element("history-table").hidden = isEmpty;
  element("pager").hidden = isEmpty || (cursors.length === 1 && !next);
  element("newer").disabled = cursors.length === 1;
  element("older").disabled = !next;
  const first = (cursors.length - 1) * PAGE;
  setText("page-number", `${(first + 1).toLocaleString("en")} to ${(first + items.length).toLocaleString("en")}`);
  if (isEmpty) showNothing();
  else element("history-state").replaceChildren();
}

function startOver() {
  if (!element("filters").checkValidity()) {
    element("filters").reportValidity();
    return;
  }
  cursors = [null];
  remember();
  show();
}

async function turnPage(cursor) {
  const isBusy = element("history-table").hasAttribute("aria-busy");
  if (cursor === null ? cursors.length === 1 : isBusy) return; // an older page is known once this one is here
  if (cursor === null) cursors.pop();
  else cursors.push(cursor);
  remember();
  await show();
  element("history-table").scrollTop = 0;
  window.scrollTo({ top: 0 });
}

const option = (name) => make("option", { value: name, text: className(name) });

async function offerClasses() {
  const names = await servedClasses();
  const asked = new URLSearchParams(location.search);
  for (const id of ["predicted_class", "confirmed_class"]) {
    const own = asked.get(id);
    const all = own && !names.includes(own) ? [...names, own] : names;
    element(id).append(...all.map(option));
    element(id).value = own ?? "";
  }
}

function recall() {
  const asked = new URLSearchParams(location.search);
  for (const name of FILTERS) element(name).value = asked.get(name) ?? "";
  cursors = history.state?.cursors ?? [null];
}

let pause = 0;
element("search").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(startOver, 250);
});
element("filters").addEventListener("change", (event) => { if (event.target.id !== "search") startOver(); });
element("filters").addEventListener("submit", (event) => { event.preventDefault(); startOver(); });
element("filters").addEventListener("reset", () => setTimeout(startOver));
element("older").addEventListener("click", () => turnPage(next));
element("newer").addEventListener("click", () => turnPage(null));

recall(); // before anything is awaited: what a person types meanwhile stays
await offerClasses();
remember();
show();
