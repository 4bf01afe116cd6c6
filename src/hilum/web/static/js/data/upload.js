// The form that adds labelled slices. Knows its part of the page.
import { element, guardLeaving, make } from "../dom.js";
import { takeChosen, takeFiles } from "../files.js";
import { className } from "../words.js";
import { Report } from "./report.js";
import { send } from "./sender.js";

let sending = null;
let line = Promise.resolve();
let ended = () => {};

export const onUploadEnd = (listener) => { ended = listener; };

const sayings = () => ({ label: element("label").value.trim(), group: element("group").value.trim(), new_classes: element("new-classes").checked ? "true" : "" });

/** Files given while others are sent wait for their turn, with what is said of them now. */
function take(files, said = sayings()) {
  if (!files.length) return;
  line = line.then(() => sendAll(files, said));
}

async function sendAll(files, said) {
  sending = new AbortController();
  const { signal } = sending;
  const report = new Report(files.length);
  report.show();
  const rest = await send(files, said, { signal, reported: (some, found) => report.take(some, found), refused: (some, problem) => report.refuse(some, problem) });
  if (rest.length) report.end(signal.aborted ? "Stopped" : "The server does not answer", rest, () => take(rest, said));
  sending = null;
  ended();
}

/** Offers the classes there are for the label. */
export function offerLabels(classes) {
  element("known-classes").replaceChildren(...classes.map((name) => make("option", { value: name, label: className(name) })));
}

takeChosen(element("files"), (files) => take(files));
takeFiles(element("landing"), (files) => take(files));
guardLeaving(() => sending !== null);
element("upload").addEventListener("submit", (event) => event.preventDefault());
element("upload-stop").addEventListener("click", () => {
  sending?.abort();
  element("upload-stop").hidden = true;
});
