// One thing the audit found, with the pictures that show it side by side. Knows the shape of a finding.
import { make } from "../dom.js";
import { picture } from "../pictures.js";
import { capital, className, plain } from "../words.js";

const SEVERITY = { error: "pill pill-bad", warning: "pill pill-care", note: "pill" };
const SIDE = 192;

function example({ image_id: id, other_image_id: other, class_name: name, detail }) {
  const pictures = [picture({ id }, SIDE, `Labelled ${className(name).toLowerCase()}`), other ? picture({ id: other }, SIDE, "The image beside it") : null];
  return make("figure", { class: other ? "example example-pair" : "example" }, make("div", { class: "example-pictures" }, ...pictures),
    make("figcaption", { class: "fine" }, make("strong", { text: className(name) }), ` ${plain(detail)}`));
}

/** A finding as an item of the list. */
export function findingItem({ severity, sentence: words, examples = [] }) {
  const pictures = examples.length ? make("details", { class: "examples" }, make("summary", { text: examples.length === 1 ? "Look at it" : `Look at ${examples.length} of them` }),
    make("div", { class: "example-list" }, ...examples.map(example))) : null;
  return make("li", { class: "finding" }, make("span", { class: SEVERITY[severity] ?? "pill", text: capital(severity) }),
    make("div", {}, make("p", { text: plain(words) }), pictures));
}
