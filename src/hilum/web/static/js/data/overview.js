// What labelled images there are, what the audit found and what to label next. Knows `GET /dataset` and its parts of the page.
import { sliceAddress } from "../api.js";
import { drawStacks } from "../charts/stacks.js";
import { element, make, setText } from "../dom.js";
import { showEmpty } from "../states.js";
import { className, count, partName, plain } from "../words.js";
import { findingItem } from "./finding.js";

let shown = null;

function draw() {
  const by = element("stacked-by").value;
  const { classes, distribution } = shown;
  const parts = [...new Set(distribution.map((row) => row[by]))].sort();
  const sum = (name, part) => distribution.filter((row) => row.class_name === name && row[by] === part).reduce((total, row) => total + row.count, 0);
  drawStacks(element("overview-chart"), classes.map(className), parts.map((part) => ({ label: partName(part), values: classes.map((name) => sum(name, part)) })));
  const head = make("tr", {}, make("th", { scope: "col", text: "Class" }), ...parts.map((part) => make("th", { scope: "col", text: partName(part) })));
  const rows = classes.map((name) => make("tr", {}, make("th", { scope: "row", text: className(name) }), ...parts.map((part) => make("td", { text: sum(name, part).toLocaleString("en") }))));
  element("overview-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function suggestion({ prediction_id: id, reason }) {
  return make("li", {}, make("a", { class: "tile", href: `/?prediction=${encodeURIComponent(id)}` },
    make("img", { src: sliceAddress(id, 256), alt: "", loading: "lazy" }), make("span", { text: plain(reason) })));
}

/** Shows an answer of `GET /dataset`. */
export function showOverview(dataset) {
  shown = dataset;
  const total = dataset.distribution.reduce((sum, row) => sum + row.count, 0);
  element("overview").hidden = total === 0;
  element("overview-state").replaceChildren();
  element("overview-next").hidden = !dataset.since_last_run;
  setText("overview-note", total ? `${count(total, "image")}, ${dataset.since_last_run.toLocaleString("en")} since the last run` : "");
  if (total === 0) {
    showEmpty(element("overview-state"), "No labelled slices yet", "Choose files above and name their class; ten of each class are a beginning. Answers that you confirm on the first page count too.",
      [{ label: "Classify some slices", href: "/" }]);
  } else draw();
  element("findings").hidden = dataset.findings.length === 0;
  element("findings-list").replaceChildren(...dataset.findings.map(findingItem));
  element("label-next").hidden = dataset.label_next.length === 0;
  element("label-next-list").replaceChildren(...dataset.label_next.map(suggestion));
}

element("stacked-by").addEventListener("change", () => { if (shown) draw(); });
