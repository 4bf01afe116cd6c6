// What is doubtful about a series, in words. Knows the codes of `/predict/study`, no page.
import { className } from "../words.js";

const WARNINGS = {
  "several-patients": "The files are of several patients. Each series is shown by itself; choose one above the slices.",
  "several-series": "The files are of several series. Choose one above the slices.",
  "slices-refused": "Some files could not be answered; the list says which and why.",
  "order-unknown": "The files do not say where their slices lie, so they stay in the order given.",
  "duplicate-positions": "Some slices lie at the same place.",
  gaps: "Slices are missing: some neighbours lie further apart than the others.",
  "duplicate-instance-numbers": "Some slices have the same number.",
  "mixed-thickness": "The slices are not all of one thickness.",
};

export const studyWarning = (code) => WARNINGS[code] ?? `${className(code)}.`;

/** A place along the body, where it is known. */
export const place = (millimetres) => (typeof millimetres === "number" ? `${millimetres.toFixed(1)}\u00a0mm` : "");
