// Files a person gives a page: dropped (folders too), pasted or chosen. Knows no page.
import { Refusal } from "./api.js";

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** All files of a dropped folder, or the file itself. */
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const one of some) found.push(...(await filesOf(one)));
  }
}

/** The files of a drop; entries must be asked for before the event ends. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = await Promise.all(entries.map(filesOf));
  return found.flat().filter(({ name }) => !name.startsWith("."));
}

/** Calls `take(files)` for what is dropped anywhere on the page or pasted; `stage` shows that it may be dropped. */
export function takeFiles(stage, take) {
  window.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    stage.classList.add("is-over");
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) stage.classList.remove("is-over");
  });
  window.addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    stage.classList.remove("is-over");
    take(await dropped(event.dataTransfer));
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files);
  });
}

/** Calls `take(files)` for what is chosen in `input`. */
export function takeChosen(input, take) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that choosing the same file again is a change
    if (files.length) take(files);
  });
}

const UNREADABLE = {
  title: "The file cannot be read",
  detail: "It was moved, changed or deleted since it was chosen.",
  remedy: "Choose it again.",
};

async function read(part) {
  try {
    return new Uint8Array(await part.arrayBuffer());
  } catch {
    throw new Refusal(UNREADABLE);
  }
}

async function begins(blob, at, bytes) {
  const found = await read(blob.slice(at, at + bytes.length));
  return found.length === bytes.length && bytes.every((byte, index) => byte === found[index]);
}

/** Whether a file is a zip by its first bytes. */
export const isZip = (blob) => begins(blob, 0, [0x50, 0x4b, 0x03, 0x04]);

/** Whether a file is DICOM by the mark behind its preamble. */
export const isDicom = (blob) => begins(blob, 128, [0x44, 0x49, 0x43, 0x4d]);
