// The gate's checks of a challenger against the champion, as a table. Knows the shape of a run's report.
import { make } from "./dom.js";
import { labelCells } from "./tables.js";
import { className } from "./words.js";

const NAMES = { mcnemar: "McNemar’s test", "not-a-chest-ct": "Not a chest CT" };

/** `recall:normal` as “Recall: normal”. */
const nameOf = (name) => NAMES[name] ?? className(name).replace(":", ": ");

function written(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}

function line({ name, passed, detail, champion, challenger, margin }) {
  return make("tr", {},
    make("td", {}, make("span", { class: passed ? "pill pill-good" : "pill pill-bad", text: passed ? "Passed" : "Failed" })),
    make("th", { scope: "row", text: nameOf(name) }, detail ? make("span", { class: "interval check-detail", text: detail }) : null),
    make("td", { text: written(champion) }), make("td", { text: written(challenger) }), make("td", { text: written(margin) }));
}

/** A table of the checks of `report`, or null where there are none. */
export function checksTable(report) {
  if (!report?.checks?.length) return null;
  const heads = ["", "Check", "Champion", "Challenger", "Allowed"].map((text) =>
    (text ? make("th", { scope: "col", text }) : make("th", { scope: "col" }, make("span", { class: "visually-hidden", text: "Result" }))));
  return make("div", { class: "scroller", role: "group", "aria-label": "Checks of the gate", tabindex: "0" },
    labelCells(make("table", { class: "table table-stack checks" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...report.checks.map(line)))));
}
