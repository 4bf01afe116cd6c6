// One prediction of the history as a row. Knows a record of `GET /predictions`, not where it comes from.
import { sliceAddress } from "../api.js";
import { make } from "../dom.js";
import { asProbability, className, moment } from "../words.js";

const NOT_KEPT = "not kept";

function thumbnail({ id, image_kept: isKept }) {
  const none = () => make("span", { class: "thumb thumb-none", text: NOT_KEPT });
  if (!isKept) return none();
  const picture = make("img", { class: "thumb", src: sliceAddress(id, 96), alt: "", width: 48, height: 48, loading: "lazy" });
  picture.addEventListener("error", () => picture.replaceWith(none()), { once: true });
  return picture;
}

function feedback({ confirmed_class: confirmed, predicted_class: predicted }) {
  if (!confirmed) return make("span", { class: "fine", text: "none" });
  if (confirmed === predicted) return make("span", { class: "pill pill-good", text: "Confirmed" });
  return make("span", { class: "pill pill-care", text: className(confirmed) });
}

/** The row of a stored prediction; its name leads to the prediction. */
export function historyRow(stored) {
  const isConfident = stored.decision === "confident";
  const share = stored.answer.probabilities?.[stored.predicted_class];
  return make("tr", {},
    make("td", {}, thumbnail(stored)),
    make("th", { scope: "row" },
      make("a", { href: `/?prediction=${encodeURIComponent(stored.id)}`, text: className(stored.predicted_class) }),
      make("span", { class: "share", text: typeof share === "number" ? ` ${asProbability(share)}` : "" })),
    make("td", {}, make("span", { class: `pill pill-${isConfident ? "confident" : "review"}`, text: isConfident ? "Confident" : "Review" })),
    make("td", {}, feedback(stored)),
    make("td", { class: "when" }, make("time", { datetime: stored.created_at, text: moment(stored.created_at) })),
    make("td", { class: "model mono", text: stored.model_version }));
}
