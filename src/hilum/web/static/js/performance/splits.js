// What the same recipe scores under other splits and on other data. Knows these parts of metrics.json.
import { element } from "../dom.js";
import { figureCell, index, row, textCell } from "../figures.js";
import { capital, percent } from "../words.js";

function show(id, rows, cells, named = capital) {
  element(id).hidden = rows.length === 0;
  const lines = rows.map((one) => row(named(one.name), [textCell(String(one.n)), ...cells(one)], { note: one.note }));
  element(`${id}-rows`).replaceChildren(...lines);
}

export function showSplits(splits = [], external = []) {
  show("splits", splits, ({ accuracy, macro_f1: f1 }) => [figureCell(accuracy, percent), figureCell(f1, index)]);
  show("external", external, ({ auroc, sensitivity, specificity }) => [
    figureCell(auroc, index),
    figureCell(sensitivity, percent),
    figureCell(specificity, percent),
  ], String); // a data set is called what it is called
}
