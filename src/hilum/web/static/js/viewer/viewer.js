// The dark panel: picture, heat map, window and zoom. Knows its elements, not what was answered.
import { heatMapAddress, sliceAddress } from "../api.js";
import { element, setText } from "../dom.js";
import * as windowing from "./windowing.js";
import { fit } from "./zoom.js";

let preview = null;

function begin(name) {
  release();
  windowing.withdraw();
  fit();
  element("heat").hidden = true;
  element("heat").removeAttribute("src");
  element("heat-control").hidden = true;
  element("heat-note").hidden = true;
  element("drop").hidden = true;
  element("picture").hidden = false;
  element("viewer-bar").hidden = false;
  setText("file-name", name);
  element("file-name").title = name;
}

/** Shows `blob`, where the browser can draw it; `words` say what is awaited, if anything. */
export function showFile(blob, name, words = "") {
  begin(name);
  const slice = element("slice");
  slice.hidden = false;
  slice.onload = null;
  slice.onerror = () => { slice.hidden = true; };
  slice.alt = "The slice you gave";
  if (blob) {
    preview = URL.createObjectURL(blob);
    slice.src = preview;
  } else {
    slice.removeAttribute("src");
    slice.hidden = true;
  }
  element("busy").hidden = !words;
  setText("busy-words", words);
}

/** Shows the slice of a prediction as the server decoded it, and the heat map over it. */
export function showAnswered(id, name, className, { isDicom = false } = {}) {
  const isSame = element("file-name").textContent === name && preview;
  if (!isSame) begin(name);
  element("busy").hidden = true;
  const slice = element("slice");
  slice.hidden = false;
  slice.alt = "The slice as the model saw it";
  slice.onload = release;
  slice.onerror = () => { slice.hidden = true; release(); };
  slice.src = sliceAddress(id, 2048);
  const heat = element("heat");
  heat.onload = () => {
    heat.hidden = false;
    element("heat-control").hidden = false;
    element("heat-note").hidden = false;
  };
  heat.alt = `Heat map of what spoke for ${className}`;
  heat.src = heatMapAddress(id);
  if (isDicom) windowing.offer(id);
  setOpacity();
}

/** Back to the invitation. */
export function clear() {
  release();
  windowing.withdraw();
  for (const id of ["slice", "heat"]) element(id).removeAttribute("src");
  for (const id of ["picture", "busy", "viewer-bar"]) element(id).hidden = true;
  element("drop").hidden = false;
}

function setOpacity() {
  const { value } = element("opacity");
  element("heat").style.opacity = String(value / 100);
  setText("opacity-value", `${value}\u00a0%`);
}

function release() {
  if (preview) URL.revokeObjectURL(preview);
  preview = null;
}

element("opacity").addEventListener("input", setOpacity);
