// The form that adds labelled slices, and the report that grows while they go. Knows its part of the page.
import { element, make, oncePerFrame, setText } from "../dom.js";
import { takeChosen, takeFiles } from "../files.js";
import { className, count, sentence } from "../words.js";
import { send } from "./sender.js";

const KINDS = { accepted: ["Accepted", "good"], duplicate: ["Known already", ""], quarantined: ["In quarantine", "care"], refused: ["Refused", "bad"] };
const MOST_LINES = 500;

let sending = null;
let line = Promise.resolve();
let ended = () => {};

export const onUploadEnd = (listener) => { ended = listener; };

/** A report that grows: counts by kind, and a line for each file that needs a look. */
class Report {
  constructor(total) {
    this.total = total;
    this.sent = 0;
    this.counts = { accepted: 0, duplicate: 0, quarantined: 0, refused: 0 };
    this.lines = 0;
    this.show = oncePerFrame(() => this.#show());
    element("report").hidden = false;
    element("report-rows").replaceChildren();
    element("report-table").hidden = true;
  }

  take(files, { items }) {
    this.sent += files.length;
    const rows = items.flatMap((item) => {
      this.counts[item.status] += 1;
      const name = files.length === 1 && items.length > 1 ? `${files[0].name} · ${item.index + 1}` : files[item.index]?.name ?? files[0].name;
      return this.#line(name, item.status, item.reasons.length ? item.reasons : item.code ? [item.code] : []);
    });
    this.#append(rows);
  }

  refuse(files, problem) {
    this.sent += files.length;
    this.counts.refused += files.length;
    this.#append(files.flatMap((file) => this.#line(file.name, "refused", [`${problem.title}. ${sentence(problem.detail)}`])));
  }

  #line(name, status, reasons) {
    if ((status === "accepted" && reasons.length === 0) || status === "duplicate" || this.lines >= MOST_LINES) return [];
    this.lines += 1;
    const [label, kind] = KINDS[status];
    return [make("tr", {}, make("th", { scope: "row", text: name }),
      make("td", {}, make("span", { class: kind ? `pill pill-${kind}` : "pill", text: label })),
      make("td", { text: reasons.map(sentence).join(" ") }))];
  }

  #append(rows) {
    if (rows.length) element("report-table").hidden = false;
    element("report-rows").append(...rows);
    this.show();
  }

  #show() {
    element("report-progress").max = Math.max(1, this.total);
    element("report-progress").value = this.sent;
    const isDone = this.sent >= this.total;
    setText("report-words", isDone ? `${count(this.total, "file")} sent` : `${this.sent.toLocaleString("en")} of ${count(this.total, "file")} sent`);
    element("upload-stop").hidden = isDone;
    element("report-counts").replaceChildren(...Object.entries(KINDS).map(([kind, [label]]) =>
      make("div", {}, make("dt", { text: label }), make("dd", { text: this.counts[kind].toLocaleString("en") }))));
  }
}

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
