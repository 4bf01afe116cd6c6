// Figures `{value, low, high, n}` with their intervals, as cards and table cells. Knows no metric.
import { make } from "./dom.js";

const hasInterval = ({ low, high }) => typeof low === "number" && typeof high === "number";
const ends = ({ low, high }, written) => `${written(low)} to ${written(high)}`;
const interval = (tag, figure, written) => make(tag, { class: "interval", text: ends(figure, written) });

/** A figure's interval in brackets for a sentence; empty where there is none. */
export const bracketed = (figure, written) => (hasInterval(figure) ? ` (${ends(figure, written)})` : "");

/** A card for a list of figures. */
export function figureCard(label, figure, written) {
  return make("div", {}, make("dt", { text: label }), make("dd", { text: written(figure.value) }),
    hasInterval(figure) ? interval("dd", figure, written) : null);
}

/** A figure as text, its interval beneath. */
export function figureCell(figure, written) {
  const { value } = figure ?? {};
  return make("td", { text: typeof value === "number" ? written(value) : "not measured" },
    hasInterval(figure ?? {}) ? interval("span", figure, written) : null);
}

export const textCell = (text) => make("td", { text });

/** A row with its heading, a note beneath it, and its cells. */
export function row(name, cells, { note = "", isWorst = false } = {}) {
  const heading = make("th", { scope: "row", text: name }, note ? make("span", { class: "row-note", text: note }) : null);
  return make("tr", { class: isWorst ? "is-worst" : null }, heading, ...cells);
}

/** A number as metrics are written. */
export const index = (value) => value.toFixed(3);
