// What a model's answers hang on: bars by region and by property, and the shortcuts found. Knows that part of metrics.json.
import { element, make } from "../dom.js";
import { drawEffects } from "../charts/effects.js";
import { figureCell, index, row, textCell } from "../figures.js";
import { className, percent, plain } from "../words.js";

/** The effects on all slices, or on those of one class. */
function effectOn(effect, chosen) {
  if (chosen === "") return effect;
  const found = effect.per_class.find((one) => one.class_name === chosen);
  return { ...found, n_changed: found.n_changed, changed_of: found.n_answered };
}

function bars(rows, chosen, name, measure) {
  return rows.map((one) => {
    const effect = effectOn(one, chosen);
    return { label: className(one[name]), figure: effect[measure], effect };
  });
}

function tableRow({ label, figure, effect }) {
  const changed = `${effect.n_changed} of ${effect.changed_of ?? effect.n}`;
  return row(label, [
    textCell(String(effect.n)),
    figureCell(figure, index),
    figureCell(effect.accuracy_drop, percent),
    textCell(changed),
  ]);
}

function draw(importance, chosen) {
  const regions = bars(importance.regions, chosen, "region", "probability_drop");
  const properties = bars(importance.properties, chosen, "property", "probability_change");
  for (const [id, shown] of [["regions-chart", regions], ["properties-chart", properties]]) {
    drawEffects(element(id), shown.map(({ label }) => label), shown.map(({ figure }) => figure));
  }
  element("importance-rows").replaceChildren(...[...regions, ...properties].map(tableRow));
}

const option = (value, words) => make("option", { value, text: words });

const item = (sentence) => make("li", { class: "callout callout-care", text: plain(sentence) });

export function showImportance(importance) {
  element("importance").hidden = !importance;
  if (!importance) return;
  const classes = importance.regions[0].per_class.filter(({ n }) => n > 0).map((one) => one.class_name);
  const select = element("importance-class");
  select.replaceChildren(option("", "all classes"), ...classes.map((name) => option(name, className(name))));
  select.onchange = () => draw(importance, select.value);
  element("shortcuts").hidden = importance.sentences.length === 0;
  element("shortcuts").replaceChildren(...importance.sentences.map(item));
  draw(importance, "");
}
