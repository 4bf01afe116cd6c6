// How far a model's answers hold, and whether its heat maps deserve trust. Knows these parts of metrics.json.
import { element, make } from "../dom.js";
import { figureCell, row } from "../figures.js";
import { capital, percent, plain } from "../words.js";

export function showRobustness(robustness) {
  element("robustness").hidden = !robustness;
  if (!robustness) return;
  element("robustness-worst").textContent = plain(robustness.sentence);
  const none = row("None", [figureCell(robustness.unperturbed, percent), document.createElement("td")]);
  const rows = robustness.rows.map((one) =>
    row(capital(one.name), [figureCell(one.accuracy, percent), figureCell(one.agreement, percent)], {
      isWorst: one.name === robustness.worst,
    }),
  );
  element("robustness-rows").replaceChildren(none, ...rows);
}

const item = (text) => make("li", { text });

function range({ low, high }, written) {
  return typeof low === "number" ? ` (${written(low)} to ${written(high)})` : "";
}

const index = (value) => value.toFixed(2);

function whereItLies(share, where) {
  if (typeof share.heat.value !== "number") return "";
  const heat = `${percent(share.heat.value)} of the heat${range(share.heat, percent)}`;
  return `${heat} lies ${where}, which is ${percent(share.area.value)} of the map.`;
}

function deleted({ hottest, random, gain }) {
  const removed = `Without the hottest cells the answer’s probability averages ${index(hottest.value)}, without random ones`;
  return `${removed} ${index(random.value)}: a difference of ${index(gain.value)}${range(gain, index)}.`;
}

function randomHead(correlation) {
  if (typeof correlation?.value !== "number") return "";
  const words = "Maps of the same model with random last weights agree with its maps by a rank correlation of";
  return `${words} ${index(correlation.value)}${range(correlation, index)}; 0 is best.`;
}

export function showHeatCheck(check) {
  element("heat-check").hidden = !check;
  if (!check) return;
  const sentences = [
    whereItLies(check.in_body, "inside the body"),
    whereItLies(check.in_chest, "inside lungs and mediastinum"),
    deleted(check.deletion),
    randomHead(check.random_head_correlation),
  ];
  element("heat-check-list").replaceChildren(...sentences.filter(Boolean).map(item));
}
