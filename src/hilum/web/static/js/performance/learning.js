// How the model learned, and from what: its epochs and its classes by split. Knows these parts of metrics.json.
import { drawEpochs } from "../charts/epochs.js";
import { drawStacks } from "../charts/stacks.js";
import { element, make } from "../dom.js";
import { className, partName } from "../words.js";

export function showLearning(epochs) {
  element("learning").hidden = !epochs?.length;
  if (!epochs?.length) return;
  drawEpochs(element("accuracy-chart"), epochs, "accuracy");
  drawEpochs(element("loss-chart"), epochs, "loss");
}

export function showDistribution(bySplit) {
  const splits = Object.keys(bySplit ?? {});
  element("distribution").hidden = splits.length === 0;
  if (splits.length === 0) return;
  const names = [...new Set(splits.flatMap((split) => Object.keys(bySplit[split])))].sort();
  const parts = splits.map((split) => ({ label: partName(split), values: names.map((name) => bySplit[split][name] ?? 0) }));
  drawStacks(element("distribution-chart"), names.map(className), parts);
  const head = make("tr", {}, make("th", { scope: "col", text: "Class" }), ...splits.map((split) => make("th", { scope: "col", text: partName(split) })));
  const rows = names.map((name) => make("tr", {}, make("th", { scope: "row", text: className(name) }),
    ...splits.map((split) => make("td", { text: String(bySplit[split][name] ?? 0) }))));
  element("distribution-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}
