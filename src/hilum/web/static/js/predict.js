// Wires the page: a slice comes in by drop, paste, choice or sample; an answer or a refusal is shown.
import { classify, heatMapAddress, remedyFor, Refusal, sample, sliceAddress } from "./api.js";
import { showAnswer, showNothing, showRefusal } from "./answer.js";
import { showPerformance } from "./performance.js";
import * as viewer from "./viewer.js";
import { className } from "./words.js";

const element = (id) => document.getElementById(id);
let current = null;

async function answer(blob, name, { isSynthetic = false } = {}) {
  current?.abort();
  const turn = (current = new AbortController());
  viewer.showPending(blob, name);
  element("announcement").textContent = "Reading the slice.";
  try {
    const answered = await classify(blob, name, turn.signal);
    if (turn !== current) return;
    viewer.showAnswered(sliceAddress(answered.id), heatMapAddress(answered.id), className(answered.predicted_class));
    showAnswer(answered, isSynthetic);
  } catch (error) {
    if (turn !== current) return;
    await refuse(error, turn);
  }
}

async function refuse(error, turn) {
  if (!(error instanceof Refusal)) console.error(error);
  const problem = error instanceof Refusal
    ? error.problem
    : { title: "The answer could not be shown", detail: "Something failed in this page." };
  const remedy = await remedyFor(problem);
  if (turn !== current) return;
  viewer.showRefused();
  showRefusal(problem, remedy);
}

async function answerSample(number) {
  try {
    await answer(await sample(number), `synthetic-${number}.png`, { isSynthetic: true });
  } catch (error) {
    if (error instanceof Refusal) showRefusal(error.problem, "");
  }
}

function startOver() {
  current?.abort();
  current = null;
  element("announcement").textContent = "";
  viewer.clear();
  showNothing();
  element("file").focus();
}

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

element("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) answer(file, file.name);
  event.target.value = ""; // so that choosing the same file again is a change
});
element("again").addEventListener("click", startOver);
for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", () => answerSample(button.dataset.sample));
}
window.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  element("stage").classList.add("is-over");
});
window.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) element("stage").classList.remove("is-over");
});
window.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  element("stage").classList.remove("is-over");
  const [file] = event.dataTransfer.files;
  if (file) answer(file, file.name);
});
window.addEventListener("paste", (event) => {
  const [file] = event.clipboardData?.files ?? [];
  if (file) answer(file, file.name || "pasted.png");
});

showPerformance();
