// The slices of one cell of the confusion matrix: those measured, and those that people judged so. Knows their addresses.
import { address, getJson, sliceAddress } from "../api.js";
import { make } from "../dom.js";
import { picture } from "../pictures.js";
import { problemOf, showFailure, showLoading } from "../states.js";
import { asProbability, className, count, sentence } from "../words.js";

const SHOWN = 24;
let turn = 0;

const failed = (error) => ({ problem: problemOf(error) });

/** Shows in `part` the slices that are `truth` and were called `said`. */
export async function showCell(part, truth, said) {
  const mine = (turn += 1);
  showLoading(part, "Looking for slices…");
  const judged = { confirmed_class: truth, predicted_class: said };
  try {
    const [measured, predictions] = await Promise.all([
      getJson("/metrics/answers", { true_class: truth, predicted_class: said, limit: SHOWN }).catch(failed),
      getJson("/predictions", { ...judged, limit: SHOWN }).catch(failed),
    ]);
    if (mine !== turn) return;
    part.replaceChildren(
      make("h3", { text: `Labelled ${className(truth).toLowerCase()}, called ${className(said).toLowerCase()}` }),
      ...ofMeasurement(measured), ...ofPeople(predictions, judged));
  } catch (error) {
    if (mine === turn) showFailure(part, error, () => showCell(part, truth, said));
  }
}

function ofMeasurement({ problem, total, split, items }) {
  if (problem) return [make("p", { class: "fine", text: sentence(problem.detail) })];
  const words = [`${count(total, "slice")} of the measurement (${split}).`];
  const here = items.filter(({ image_id: id }) => id);
  if (total && here.length === 0) words.push("Their pictures are not among this server’s labelled images.");
  else if (here.length < items.length) words.push(`The pictures of ${items.length - here.length} are not on this server.`);
  if (total > items.length) words.push(`The surest ${items.length} are looked at.`);
  const tiles = here.map(({ image_id: id, predicted_class: said, probabilities, sha256 }) =>
    make("figure", { class: "measured" }, picture({ id }, 256, `Measured slice ${sha256.slice(0, 8)}`),
      make("figcaption", { text: asProbability(probabilities[said]) })));
  return [make("p", { class: "fine", text: words.join(" ") }), here.length ? make("div", { class: "tiles" }, ...tiles) : ""];
}

function judgedTile({ id, image_kept: isKept }) {
  const link = make("a", { href: `/?prediction=${encodeURIComponent(id)}`, "aria-label": `Prediction ${id}` });
  link.append(isKept ? make("img", { src: sliceAddress(id, 128), alt: "", loading: "lazy" }) : id.slice(0, 8));
  return link;
}

function ofPeople({ problem, items, next }, query) {
  if (problem) return [make("p", { class: "fine", text: sentence(problem.detail) })];
  if (items.length === 0) return [make("p", { class: "fine", text: "Nobody has judged an answer here so yet." })];
  return [
    make("p", { class: "fine", text: "Judged so by people here:" }),
    make("div", { class: "tiles" }, ...items.map(judgedTile)),
    next ? make("p", {}, make("a", { href: address("/history", query), text: "All of them in the history" })) : "",
  ];
}
