// Wires the page: slices come in by drop, paste, choice, sample or from the history; the chosen one is shown.
import { remedyFor, sample } from "../api.js";
import { element, guardLeaving, setText } from "../dom.js";
import { takeChosen, takeFiles } from "../files.js";
import { problemOf } from "../states.js";
import * as viewer from "../viewer/viewer.js";
import { className } from "../words.js";
import { offerAgain, showAnswer, showNothing, showRefusal, showWaiting } from "./answer.js";
import { addRows, clearRows, exportRows, markRow, showRow, summary } from "./queue-list.js";
import { Queue } from "./queue.js";

let queue = null;
let shown = null;
let showSummary = () => {};

function begin() {
  const current = new Queue({
    added: (items) => {
      if (current !== queue) return;
      addRows(items, choose);
      showSummary();
    },
    changed: (item) => {
      if (current !== queue) return;
      showRow(item);
      showSummary();
      if (item === shown) showChanged(item);
      else if (shown?.state === "refused") offerAgain(shown.problem, queue.unsent.length);
    },
  });
  queue = current;
  showSummary = summary(queue);
}

function showChanged(item) {
  if (item.unfolded) choose(item.unfolded[0] ?? item);
  else show(item);
}

function choose(item) {
  shown = item;
  markRow(item);
  element("again").hidden = false;
  element("more").hidden = false;
  if (item.unfolded) return;
  viewer.showFile(item.file, item.name);
  show(item);
}

async function show(item) {
  if (item.state === "answered") {
    viewer.showAnswered(item.answer.id, item.name, className(item.answer.predicted_class), item);
    showAnswer(item);
  } else if (item.state === "refused") {
    const remedy = await remedyFor(item.problem);
    if (item !== shown) return;
    viewer.showFile(item.file, item.name);
    showRefusal(item.problem, remedy, queue.unsent.length);
  } else {
    viewer.showFile(item.file, item.name, item.state === "busy" ? "Reading the slice…" : "Waiting its turn…");
    showWaiting(item.state === "busy" ? "The model is looking at this slice." : "Others are answered before it.");
    setText("announcement", "Reading the slice.");
  }
}

function take(files, more) {
  if (!files.length) return;
  const items = queue.add(files, more);
  choose(items[0]);
}

async function takeSample(number) {
  try {
    const blob = await sample(number);
    take([new File([blob], `synthetic-${number}.png`, { type: "image/png" })], { isSynthetic: true });
  } catch (error) {
    showRefusal(problemOf(error), "");
  }
}

async function takeStored(id) {
  try {
    choose(await queue.addStored(id));
  } catch (error) {
    showRefusal(problemOf(error), await remedyFor(problemOf(error)));
  }
}

function startOver() {
  queue.stop();
  clearRows();
  shown = null;
  begin();
  showSummary();
  setText("announcement", "");
  viewer.clear();
  showNothing();
  for (const id of ["again", "more"]) element(id).hidden = true;
  history.replaceState(null, "", "/");
  element("file").focus();
}

begin();
takeChosen(element("file"), take);
takeFiles(element("stage"), take);
element("again").addEventListener("click", startOver);
element("more").addEventListener("click", () => element("file").click());
element("refusal-again").addEventListener("click", () => queue.again());
element("queue-stop").addEventListener("click", () => queue.stop());
element("queue-export").addEventListener("click", () => exportRows(queue.items));
for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", () => takeSample(button.dataset.sample));
}
guardLeaving(() => queue.counts.waiting + queue.counts.busy > 0);
const asked = new URLSearchParams(location.search).get("prediction");
if (asked) takeStored(asked);
