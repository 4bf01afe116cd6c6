// Test images that two models answer differently. Knows the shape of a run's report.
import { make } from "../dom.js";
import { picture } from "../pictures.js";
import { className, count } from "../words.js";

const SHOWN = 24;

function line(term, said, truth) {
  const kind = truth === undefined ? null : said === truth ? "is-right" : "is-wrong";
  return make("div", {}, make("dt", { text: term }), make("dd", { class: kind, text: className(said) }));
}

function tile(flip) {
  const { true_class: truth, champion_class: champion, challenger_class: challenger } = flip;
  return make("li", { class: "flip" }, picture({ id: flip.image_id }, 256, `Test image ${flip.sha256.slice(0, 8)}`),
    make("dl", {}, line("Label", truth), line("Champion", champion, truth), line("Challenger", challenger, truth)));
}

/** A heading and tiles, or nothing where no images flipped or none were compared. */
export function flippedPart(report) {
  if (!report?.flipped) return [];
  const { flipped } = report;
  const gained = flipped.filter((one) => one.challenger_class === one.true_class).length;
  const lost = flipped.filter((one) => one.champion_class === one.true_class).length;
  const title = make("h3", { text: "Flipped images" });
  if (flipped.length === 0) return [title, make("p", { class: "fine", text: "Both call every test image the same class." })];
  const words = `${count(flipped.length, "test image")} ${flipped.length === 1 ? "is" : "are"} answered differently: ${gained} now right, ${lost} now wrong.`;
  const tiles = make("ul", { class: "flips" }, ...flipped.slice(0, SHOWN).map(tile));
  const rest = flipped.length - SHOWN;
  return [title, make("p", { class: "fine", text: words }), tiles, rest > 0 ? make("p", { class: "fine", text: `${count(rest, "more", "more")}, not shown.` }) : null].filter(Boolean);
}
