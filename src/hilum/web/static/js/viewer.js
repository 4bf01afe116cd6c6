// The dark panel: picture, heat map and its slider. Knows its elements, not what was answered.

const element = (id) => document.getElementById(id);
let preview = null;

/** Shows `blob` while its answer is awaited, where the browser can draw it. */
export function showPending(blob, name) {
  release();
  preview = URL.createObjectURL(blob);
  const slice = element("slice");
  slice.hidden = false;
  slice.onerror = () => { slice.hidden = true; };
  slice.src = preview;
  slice.alt = "The slice you gave";
  element("heat").hidden = true;
  element("heat-control").hidden = true;
  element("heat-note").hidden = true;
  element("drop").hidden = true;
  element("picture").hidden = false;
  element("busy").hidden = false;
  element("viewer-bar").hidden = false;
  element("file-name").textContent = name;
  element("file-name").title = name;
}

/** Shows the slice as the server decoded it, and the heat map over it. */
export function showAnswered(sliceAddress, heatMapAddress, className) {
  element("busy").hidden = true;
  const slice = element("slice");
  slice.hidden = false;
  slice.onerror = null;
  slice.onload = release;
  slice.src = sliceAddress;
  const heat = element("heat");
  heat.onload = () => {
    heat.hidden = false;
    element("heat-control").hidden = false;
    element("heat-note").hidden = false;
  };
  heat.alt = `Heat map of what spoke for ${className}`;
  heat.src = heatMapAddress;
  setOpacity();
}

/** Leaves the picture, if there is one, without an answer. */
export function showRefused() {
  element("busy").hidden = true;
}

/** Back to the invitation. */
export function clear() {
  release();
  element("slice").removeAttribute("src");
  element("heat").removeAttribute("src");
  element("picture").hidden = true;
  element("busy").hidden = true;
  element("viewer-bar").hidden = true;
  element("drop").hidden = false;
}

function setOpacity() {
  const { value } = element("opacity");
  element("heat").style.opacity = String(value / 100);
  element("opacity-value").textContent = `${value} %`;
}

function release() {
  if (preview) URL.revokeObjectURL(preview);
  preview = null;
}

element("opacity").addEventListener("input", setOpacity);
