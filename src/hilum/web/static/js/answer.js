// The panel beside the picture: an answer, a refusal or neither. Text is set as text, whoever wrote it.
import { drawProbabilities } from "./chart.js";
import { showLookAlikes } from "./lookalikes.js";
import { className, decision, list, asProbability, warning } from "./words.js";

const element = (id) => document.getElementById(id);
const setText = (id, text) => { element(id).textContent = text; };

function showOnly(id) {
  for (const part of ["answer-empty", "refusal", "result"]) element(part).hidden = part !== id;
}

export const showNothing = () => showOnly("answer-empty");

/** Shows an answer of `POST /predict`. */
export function showAnswer(answer, isSynthetic) {
  showOnly("result");
  const { label, note } = decision(answer);
  const shown = className(answer.predicted_class);
  const probability = answer.probabilities[answer.predicted_class];
  setText("decision", label);
  element("decision").className = `pill pill-${answer.decision}`;
  setText("decision-note", note);
  setText("predicted", shown);
  setText("probability", asProbability(probability));
  element("synthetic").hidden = !isSynthetic;
  showCancer(answer.cancer_probability);
  showProbabilities(answer.probabilities);
  showSet(answer.prediction_set, Object.keys(answer.probabilities).length);
  showWarnings(answer.warnings);
  showLookAlikes(answer);
  setText("model", answer.model_version);
  setText("latency", `${answer.latency_ms.toFixed(0)} ms`);
  setText("prediction-id", answer.id);
  setText("announcement", `${shown}, probability ${asProbability(probability)}. ${label}.`);
}

/** Shows why a slice was refused. */
export function showRefusal(problem, remedy) {
  showOnly("refusal");
  setText("refusal-title", problem.title);
  setText("refusal-detail", sentence(problem.detail));
  setText("refusal-remedy", remedy);
  element("refusal-remedy").hidden = !remedy;
  setText("announcement", `Not classified. ${problem.title}. ${sentence(problem.detail)}`);
}

function showCancer(probability) {
  element("cancer").hidden = probability === null;
  if (probability === null) return;
  setText("cancer-value", asProbability(probability));
  element("cancer-meter").value = probability;
}

function showProbabilities(probabilities) {
  const sorted = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  const rows = sorted.map(([name, value]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = className(name);
    const cell = document.createElement("td");
    cell.textContent = asProbability(value);
    row.append(head, cell);
    return row;
  });
  element("probabilities").replaceChildren(...rows);
  element("chart").parentElement.style.height = `${sorted.length * 46 + 8}px`;
  drawProbabilities(element("chart"), sorted.map(([name]) => className(name)), sorted.map(([, value]) => value));
}

function showSet(names, count) {
  const words = list(names.map((name) => className(name).toLowerCase()));
  if (names.length === count) setText("set", "No class can be ruled out.");
  else if (names.length > 1) setText("set", `These classes cannot be ruled out: ${words}.`);
  else setText("set", "The other classes are ruled out, as surely as the model’s card states.");
}

function showWarnings(codes) {
  element("warnings").hidden = codes.length === 0;
  element("warnings").replaceChildren(...codes.map((code) => {
    const item = document.createElement("li");
    item.textContent = warning(code);
    return item;
  }));
}

function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
