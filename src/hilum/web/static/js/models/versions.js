// The registered models as a table. Knows its rows, not what is done with them.
import { element, make } from "../dom.js";
import { figureCell, index } from "../figures.js";
import { moment, percent } from "../words.js";

const ROLES = { champion: ["Champion", "pill pill-good"], challenger: ["Challenger", "pill pill-accent"] };

export const isChampion = (model) => model.aliases.includes("champion");

function roles(model) {
  const pills = model.aliases.map((alias) => make("span", { class: ROLES[alias]?.[1] ?? "pill", text: ROLES[alias]?.[0] ?? alias }));
  if (model.is_served) pills.push(make("span", { class: "pill", text: "Answers here" }));
  return make("div", { class: "pills" }, ...pills);
}

function origin(model) {
  if (model.run_id) return make("a", { href: `/training?run=${encodeURIComponent(model.run_id)}`, text: "training run" });
  return make("span", { class: "fine", text: model.parent_version ?? "brought in" });
}

function row(model, { compare, promote }) {
  const compareButton = make("button", { type: "button", class: "button button-small", text: "Compare", "aria-label": `Compare ${model.version}`, on: { click: () => compare(model) } });
  const promoteButton = make("button", { type: "button", class: "button button-small button-primary", text: "Promote…", "aria-label": `Promote ${model.version}…`, on: { click: () => promote(model) } });
  return make("tr", {},
    make("th", { scope: "row", class: "mono", text: model.version }),
    make("td", {}, roles(model)),
    model.headline ? figureCell(model.headline.accuracy, percent) : make("td", { text: "not measured" }),
    model.headline ? figureCell(model.headline.macro_f1, index) : make("td"),
    make("td", { text: moment(model.created_at) }),
    make("td", {}, origin(model)),
    make("td", { class: "actions-cell" }, isChampion(model) ? null : make("div", { class: "row-actions" }, compareButton, promoteButton)));
}

export function showVersions(models, actions) {
  element("models-rows").replaceChildren(...models.map((model) => row(model, actions)));
  element("models-table").hidden = models.length === 0;
}
