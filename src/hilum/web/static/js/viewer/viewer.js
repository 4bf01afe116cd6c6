// The dark panel: picture, heat map, window and zoom. Knows its elements, not what was answered.
import { heatMap, heatMapAddress, sliceAddress } from "../api.js";
import { element, setText } from "../dom.js";
import { problemOf } from "../states.js";
import { sentence } from "../words.js";
import * as windowing from "./windowing.js";
import { fit } from "./zoom.js";

let preview = null;
let shownId = null;

function begin(name) {
  release();
  shownId = null;
  windowing.withdraw();
  fit();
  element("heat").hidden = true;
  element("heat").removeAttribute("src");
  element("heat-control").hidden = true;
  element("heat-note").hidden = true;
  element("heat-missing").hidden = true;
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
  shownId = id;
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
  heat.onerror = () => askAgain(id);
  heat.alt = `Heat map of what spoke for ${className}`;
  heat.src = heatMapAddress(id);
  if (isDicom) windowing.offer(id);
  setOpacity();
}

/** A picture does not say why it did not come: asks once more, for the map or the reason. */
async function askAgain(id) {
  try {
    const blob = await heatMap(id);
    if (id === shownId) showDrawn(URL.createObjectURL(blob));
  } catch (error) {
    if (id !== shownId) return;
    setText("heat-missing", `There is no heat map here. ${sentence(problemOf(error).detail)}`);
    element("heat-missing").hidden = false;
  }
}

function showDrawn(address) {
  const heat = element("heat");
  const { onload } = heat;
  heat.onerror = () => URL.revokeObjectURL(address);
  heat.onload = () => { URL.revokeObjectURL(address); onload(); };
  heat.src = address;
}

/** Back to the invitation. */
export function clear() {
  release();
  shownId = null;
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
