// The form that adds labelled slices. Knows its part of the page.
import { element, make, setText } from "../dom.js";
import { takeChosen, takeFiles } from "../files.js";
import { className, count } from "../words.js";
import { Report } from "./report.js";
import { send } from "./sender.js";

let sending = null;
let line = Promise.resolve();
let ended = () => {};

export const onUploadEnd = (listener) => { ended = listener; };

/** Files given while others are sent wait for their turn, with what is said of them now. */
function take(files) {
  if (!files.length) return;
  const said = { label: element("label").value.trim(), group: element("group").value.trim(), new_classes: element("new-classes").checked ? "true" : "" };
  line = line.then(() => sendAll(files, said));
}

async function sendAll(files, said) {
  sending = new AbortController();
  const { signal } = sending;
  const report = new Report(files.length);
  report.show();
  await send(files, said, { signal, reported: (some, found) => report.take(some, found), refused: (some, problem) => report.refuse(some, problem) });
  if (signal.aborted) setText("report-words", `Stopped: ${report.sent.toLocaleString("en")} of ${count(report.total, "file")} sent`);
  sending = null;
  ended();
}

/** Offers the classes there are for the label. */
export function offerLabels(classes) {
  element("known-classes").replaceChildren(...classes.map((name) => make("option", { value: name, label: className(name) })));
}

takeChosen(element("files"), take);
takeFiles(element("landing"), take);
element("upload").addEventListener("submit", (event) => event.preventDefault());
element("upload-stop").addEventListener("click", () => {
  sending?.abort();
  element("upload-stop").hidden = true;
});
