// The panel beside the picture: an answer, a refusal, waiting or neither. Text is set as text, whoever wrote it.
import { predictionAddress } from "../api.js";
import { drawProbabilities } from "../charts/probabilities.js";
import { element, make, setText } from "../dom.js";
import { asProbability, className, decision, list, moment, sentence, warning } from "../words.js";
import { coverageOf } from "./coverage.js";
import { showLookAlikes } from "./lookalikes.js";
import { showVerdict } from "./verdict.js";

function showOnly(id) {
  for (const part of ["answer-empty", "waiting", "refusal", "result"]) element(part).hidden = part !== id;
}

export const showNothing = () => showOnly("answer-empty");

export function showWaiting(words) {
  showOnly("waiting");
  setText("waiting-words", words);
}

/** Shows an answered item of the queue. */
export function showAnswer(item) {
  const { answer } = item;
  showOnly("result");
  const { label, note } = decision(answer);
  const shown = className(answer.predicted_class);
  const probability = answer.probabilities[answer.predicted_class];
  setText("decision", label);
  element("decision").className = `pill pill-${answer.decision === "confident" ? "confident" : "review"}`;
  setText("decision-note", note);
  setText("predicted", shown);
  setText("probability", asProbability(probability));
  element("synthetic").hidden = !item.isSynthetic;
  showCancer(answer.cancer_probability);
  showProbabilities(answer.probabilities);
  showSet(answer);
  showWarnings(answer.warnings);
  showVerdict(item);
  showLookAlikes(answer);
  setText("answered-at", moment(item.answeredAt));
  setText("model", answer.model_version);
  setText("latency", `${answer.latency_ms.toFixed(0)} ms`);
  setText("prediction-id", answer.id);
  element("receipt").hidden = !answer.stored;
  element("receipt").href = predictionAddress(answer.id, "/receipt");
  element("receipt").download = `receipt-${answer.id}.json`;
  setText("announcement", `${shown}, probability ${asProbability(probability)}. ${label}.`);
}

/** Offers to send all `unsent` again, where the slice of `problem` is one of them. */
export function offerAgain(problem, unsent) {
  element("refusal-again").hidden = !problem.is_unsent || unsent === 0;
  setText("refusal-again", unsent > 1 ? `Try all ${unsent.toLocaleString("en")} again` : "Try again");
}

/** Shows why a slice was refused, or why there is none. */
export function showRefusal(problem, remedy, unsent = 0) {
  showOnly("refusal");
  setText("refusal-title", problem.title);
  setText("refusal-detail", sentence(problem.detail));
  const reasons = (problem.reasons ?? []).slice(1); // the first is what the detail says
  element("refusal-reasons").hidden = reasons.length === 0;
  element("refusal-reasons").replaceChildren(...reasons.map((reason) => make("li", { text: sentence(reason) })));
  setText("refusal-remedy", remedy);
  element("refusal-remedy").hidden = !remedy;
  offerAgain(problem, unsent);
  setText("announcement", `Not classified. ${problem.title}. ${sentence(problem.detail)}`);
}

function showCancer(probability) {
  element("cancer").hidden = typeof probability !== "number";
  if (typeof probability !== "number") return;
  setText("cancer-value", asProbability(probability));
  element("cancer-meter").value = probability;
}

function showProbabilities(probabilities) {
  const sorted = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  const rows = sorted.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row", text: className(name) }), make("td", { text: asProbability(value) })));
  element("probabilities").replaceChildren(...rows);
  element("chart").parentElement.style.height = `${sorted.length * 46 + 8}px`;
  drawProbabilities(element("chart"), sorted.map(([name]) => className(name)), sorted.map(([, value]) => value));
}

/** Says which classes are left, and how often the true one was among them where that was measured. */
async function showSet({ id, model_version: version, prediction_set: names, probabilities }) {
  const isEvery = names.length === Object.keys(probabilities).length;
  const words = list(names.map((name) => className(name).toLowerCase()));
  if (isEvery) setText("set", "No class can be ruled out.");
  else if (names.length > 1) setText("set", `These classes cannot be ruled out: ${words}.`);
  else setText("set", "The model rules the other classes out.");
  element("set-note").hidden = isEvery;
  element("set-note").dataset.of = id;
  setText("set-note", "");
  if (isEvery) return;
  const note = await coverageOf(version);
  if (element("set-note").dataset.of === id) setText("set-note", note);
}

function showWarnings(codes) {
  element("warnings").hidden = codes.length === 0;
  element("warnings").replaceChildren(...codes.map((code) => make("li", { class: "callout callout-care", text: warning(code) })));
}

element("report").addEventListener("click", () => window.print());
