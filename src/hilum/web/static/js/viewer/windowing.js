// Shows Hounsfield units under a window (centre, width) on a canvas. Knows its controls, not what was answered.
import { hounsfield } from "../api.js";
import { element, oncePerFrame, setText } from "../dom.js";
import { problemOf } from "../states.js";
import { sentence } from "../words.js";
import { readNpy } from "./npy.js";

const DRAG_HU = 2;
const HOW = "HU, or drag with the right button";
let slice = null;
let shownId = null;

const draw = oncePerFrame(() => {
  if (!slice) return;
  const canvas = element("windowed");
  const centre = Number(element("window-centre").value);
  const width = Math.max(1, Number(element("window-width").value));
  const picture = new ImageData(slice.columns, slice.rows);
  const pixels = new Uint32Array(picture.data.buffer);
  const low = centre - width / 2;
  for (let index = 0; index < slice.values.length; index += 1) {
    const grey = Math.min(255, Math.max(0, ((slice.values[index] - low) * 255) / width));
    pixels[index] = 0xff000000 | (grey << 16) | (grey << 8) | grey; // little-endian RGBA
  }
  canvas.width = slice.columns;
  canvas.height = slice.rows;
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(picture, 0, 0);
});

function show(isWindowed) {
  element("windowed").hidden = !isWindowed;
  element("slice").hidden = isWindowed;
  if (isWindowed) draw();
}

/** Offers a window for the DICOM slice of a prediction; its values are fetched once one is chosen. */
export function offer(predictionId) {
  shownId = predictionId;
  element("window-control").hidden = false;
}

export function withdraw() {
  slice = null;
  shownId = null;
  element("window-control").hidden = true;
  element("window-preset").value = "";
  element("windowed").hidden = true;
  setText("window-note", HOW);
}

async function load() {
  const id = shownId;
  if (slice || !id) return;
  const loaded = readNpy(await hounsfield(id));
  if (id === shownId) slice = loaded;
}

async function choose() {
  const { value } = element("window-preset");
  if (value && value !== "own") {
    const [centre, width] = value.split(" ");
    element("window-centre").value = centre;
    element("window-width").value = width;
  }
  const id = shownId;
  try {
    if (value && !slice) setText("window-note", "Fetching Hounsfield units…");
    if (value) await load();
    if (id !== shownId) return;
    setText("window-note", HOW);
  } catch (error) {
    if (id !== shownId) return;
    element("window-preset").value = "";
    setText("window-note", sentence(problemOf(error).detail));
  }
  show(element("window-preset").value !== "" && slice !== null);
}

async function chooseOwn() {
  element("window-preset").value = "own";
  await choose();
}

/** Moves the window as a viewer at a workstation does: across for width, down for centre. */
function drag(event) {
  if (!(event.buttons & 2) || element("window-control").hidden) return;
  element("window-width").value = String(Math.max(1, Number(element("window-width").value) + DRAG_HU * event.movementX));
  element("window-centre").value = String(Number(element("window-centre").value) + DRAG_HU * event.movementY);
  chooseOwn();
}

element("window-preset").addEventListener("change", choose);
for (const id of ["window-centre", "window-width"]) element(id).addEventListener("input", chooseOwn);
element("picture").addEventListener("pointermove", drag);
element("picture").addEventListener("contextmenu", (event) => {
  if (!element("window-control").hidden) event.preventDefault();
});
