// What a series says as a whole, and where to look first. Knows its part of the page and a series' slices.
import { sliceAddress } from "../api.js";
import { drawProfile } from "../charts/profile.js";
import { element, make, setText } from "../dom.js";
import { asProbability, className, count } from "../words.js";
import { place, studyWarning } from "./words.js";

const SHOWN = 8;
let series = null;
let choose = () => {};

const suspicionOf = ({ result }) => result.cancer_probability ?? Math.max(...Object.values(result.probabilities));

function suspect(slice) {
  const at = series.slices.indexOf(slice) + 1;
  return make("li", {}, make("button", { type: "button", class: "suspect", title: slice.name, data: { index: slice.index }, on: { click: () => choose(slice) } },
    make("img", { src: sliceAddress(slice.result.id, 192), alt: "", loading: "lazy" }), make("span", { text: `Slice ${at} ` }, make("strong", { text: asProbability(suspicionOf(slice)) }))));
}

function note({ slices, used }, isRanked) {
  const over = isRanked ? `the most suspicious ${used} of ${count(slices, "answered slice")}` : count(slices, "answered slice");
  return `Over ${over}. A rule over single slices, not calibrated on whole studies.`;
}

/** Shows `found` `{aggregate, slices, suspects}` with the warnings of it and of the study. */
export function showSummary(found, warnings, whenChosen) {
  [series, choose] = [found, whenChosen];
  const { aggregate, suspects } = found;
  setText("study-class", className(aggregate.predicted_class));
  setText("study-note", note(aggregate, suspects.length > 0));
  element("study-warnings").hidden = warnings.length === 0;
  element("study-warnings").replaceChildren(...warnings.map((code) => make("li", { class: "callout callout-care", text: studyWarning(code) })));
  const cancer = aggregate.cancer_probability;
  const shown = typeof cancer === "number" ? "Probability of cancer" : "Probability of the answer";
  setText("profile-title", `${shown} along the series`);
  element("profile").setAttribute("aria-label", `${shown} by slice; the list of slices has the figures`);
  setText("profile-note", `The slice in the viewer is the largest point${suspects.length ? "; those to look at first are larger than the rest" : ""}.`);
  element("study-cancer").hidden = typeof cancer !== "number";
  if (typeof cancer === "number") {
    setText("study-cancer-value", asProbability(cancer));
    element("study-cancer-meter").value = cancer;
  }
  element("suspicious-title").hidden = suspects.length === 0;
  element("suspicious").replaceChildren(...suspects.slice(0, SHOWN).map(suspect));
}

/** Says which slice is in the viewer, and marks it wherever it stands. */
export function markShown(slice) {
  const { slices, suspects } = series;
  const at = slices.indexOf(slice);
  const isPlaced = slices.every(({ position }) => typeof position === "number");
  drawProfile(element("profile"), slices.map((one, index) => ({ x: isPlaced ? one.position : index + 1, y: suspicionOf(one) })), {
    marked: suspects.map((one) => slices.indexOf(one)),
    shown: at,
    title: isPlaced ? "Position in mm" : "Slice",
    choose: (index) => choose(slices[index]),
  });
  for (const button of element("suspicious").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.index === String(slice.index)));
  const { predicted_class: name, probabilities, id } = slice.result;
  const words = [`Slice ${at + 1} of ${slices.length}`, place(slice.position), `${className(name).toLowerCase()} ${asProbability(probabilities[name])}`];
  setText("slice-words", words.filter(Boolean).join(", "));
  element("open-slice").href = `/?prediction=${encodeURIComponent(id)}`;
}
