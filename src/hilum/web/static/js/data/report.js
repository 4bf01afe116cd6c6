// The report of an upload, which grows while it goes: counts, and the files that need a look. Knows its part of the page.
import { element, make, oncePerFrame, setText } from "../dom.js";
import { picture } from "../pictures.js";
import { count, sentence } from "../words.js";

const KINDS = { accepted: ["Accepted", "good"], duplicate: ["Known already", ""], quarantined: ["In quarantine", "care"], refused: ["Refused", "bad"] };
const MOST_LINES = 500;
const SIDE = 128;
let drawn = [];

/** The picture that was sent, where the browser can draw it. */
function sentPicture(file) {
  if (!file?.type.startsWith("image/")) return null;
  const address = URL.createObjectURL(file);
  drawn.push(address);
  const image = make("img", { src: address, alt: "What was sent", loading: "lazy" });
  image.addEventListener("error", () => image.remove(), { once: true });
  return image;
}

/** What was sent, beside the image that it repeats, resembles or contradicts. */
function beside(file, other) {
  return other ? make("div", { class: "beside" }, sentPicture(file), picture({ id: other }, SIDE, "The image it is compared with")) : null;
}

export class Report {
  constructor(total) {
    this.total = total;
    this.sent = 0;
    this.counts = { accepted: 0, duplicate: 0, quarantined: 0, refused: 0 };
    this.lines = 0;
    this.ending = null;
    this.show = oncePerFrame(() => this.#show());
    drawn.forEach((address) => URL.revokeObjectURL(address));
    drawn = [];
    element("report").hidden = false;
    element("report-rows").replaceChildren();
    element("report-table").hidden = true;
    element("upload-again").hidden = true;
  }

  take(files, { items }) {
    this.sent += files.length;
    const isZip = files.length === 1 && items.length > 1;
    this.#append(items.flatMap((item) => {
      this.counts[item.status] += 1;
      const file = isZip ? null : files[item.index] ?? files[0];
      const name = isZip ? `${files[0].name} · ${item.index + 1}` : file.name;
      return this.#line(name, item.status, item.reasons.length ? item.reasons : item.code ? [item.code] : [], beside(file, item.other_image_id));
    }));
  }

  refuse(files, problem) {
    this.sent += files.length;
    this.counts.refused += files.length;
    this.#append(files.flatMap((file) => this.#line(file.name, "refused", [`${problem.title}. ${sentence(problem.detail)}`])));
  }

  /** Says why `rest` was not sent; `again()` is called to send it. */
  end(why, rest, again) {
    this.ending = `${why}: ${this.sent.toLocaleString("en")} of ${count(this.total, "file")} sent`;
    this.show();
    const button = element("upload-again");
    button.hidden = false;
    button.textContent = rest.length === 1 ? "Send the last one" : `Send the other ${rest.length.toLocaleString("en")}`;
    button.onclick = () => { button.hidden = true; again(); };
  }

  #line(name, status, reasons, pictures = null) {
    if ((status === "accepted" && reasons.length === 0) || this.lines >= MOST_LINES) return [];
    this.lines += 1;
    const [label, kind] = KINDS[status];
    return [make("tr", {}, make("th", { scope: "row", text: name }),
      make("td", {}, make("span", { class: kind ? `pill pill-${kind}` : "pill", text: label })),
      make("td", {}, make("p", { text: reasons.map(sentence).join(" ") }), pictures))];
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
    setText("report-words", this.ending ?? (isDone ? `${count(this.total, "file")} sent` : `${this.sent.toLocaleString("en")} of ${count(this.total, "file")} sent`));
    element("upload-stop").hidden = isDone || this.ending !== null;
    element("report-counts").replaceChildren(...Object.entries(KINDS).map(([kind, [label]]) =>
      make("div", {}, make("dt", { text: label }), make("dd", { text: this.counts[kind].toLocaleString("en") }))));
  }
}
