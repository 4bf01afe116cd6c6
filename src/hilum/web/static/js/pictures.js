// Pictures of labelled images. Knows their address.
import { address } from "./api.js";
import { make } from "./dom.js";

/** A labelled image, or words where it is not here. */
export function picture({ id, is_kept: isKept }, side, alt = "") {
  const none = () => make("div", { class: "no-picture", text: "no picture here" });
  if (!id || isKept === false) return none();
  const image = make("img", { src: address(`/dataset/images/${encodeURIComponent(id)}/thumbnail`, { side }), alt, loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(none()), { once: true });
  return image;
}

/** A reason `{code, detail}` in words. */
export const reasonWords = ({ code, detail }) => detail || code;
