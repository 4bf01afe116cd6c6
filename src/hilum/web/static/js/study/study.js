// Wires the page about a series: its files go out, its slices and what they say come back.
import { readStudy, remedyFor, studyReport } from "../api.js";
import { downloadCsv } from "../csv.js";
import { element, guardLeaving, make, setText } from "../dom.js";
import { takeChosen, takeFiles } from "../files.js";
import { problemOf, showLoading } from "../states.js";
import * as viewer from "../viewer/viewer.js";
import { className, count, sentence } from "../words.js";
import { markSlice, showSlices } from "./slices.js";
import { markShown, showSummary } from "./summary.js";

let files = [];
let study = null;
let turn = 0;
let isReading = false;

const nameOf = (index, items) => (files.length === items.length ? files[index].name : `Slice ${index + 1}`);

/** The series of an answer with their slices in order, and what was refused. */
function read(answer) {
  const named = answer.items.map((item) => ({ ...item, name: nameOf(item.index, answer.items) }));
  const series = answer.series.map(({ order, positions_mm: positions, warnings, aggregate }) => ({
    aggregate,
    warnings,
    slices: order.map((index, at) => Object.assign(named[index], { position: positions[at] })),
    suspects: aggregate.most_suspicious.map((index) => named[index]),
  }));
  return { series, warnings: answer.warnings, problems: named.filter(({ problem }) => problem) };
}

function choose(slice) {
  viewer.showAnswered(slice.result.id, slice.name, className(slice.result.predicted_class), { isDicom: true });
  markSlice(slice);
  markShown(slice);
}

function showSeries(at) {
  const series = study.series[at];
  setText("slices-note", `${count(series.slices.length, "slice")}${study.problems.length ? `, ${study.problems.length} refused` : ""}`);
  showSlices(series.slices, study.problems, choose);
  showSummary(series, [...study.warnings, ...series.warnings], choose);
  choose(series.suspects[0] ?? series.slices[0]); // a model without cancer classes suspects none
}

function show(answer) {
  study = read(answer);
  element("study-state").replaceChildren();
  for (const id of ["study", "slices", "again"]) element(id).hidden = false;
  element("workbench").classList.add("has-queue");
  element("series-choice").hidden = study.series.length === 1;
  element("series").replaceChildren(...study.series.map(({ slices }, at) => make("option", { value: String(at), text: `Series ${at + 1}, ${count(slices.length, "slice")}` })));
  showSeries(0);
}

async function refusal(error) {
  const problem = problemOf(error);
  const remedy = await remedyFor(problem);
  return make("div", { class: "refusal", role: "alert" }, make("p", { class: "pill pill-refused", text: "Not read" }), make("h3", { text: problem.title }),
    make("p", { text: sentence(problem.detail) }), remedy ? make("p", { class: "callout", text: remedy }) : null,
    problem.is_unsent ? make("div", { class: "buttons" }, make("button", { type: "button", class: "button button-primary", text: "Try again", on: { click: () => take(files) } })) : null);
}

async function take(given) {
  if (!given.length) return;
  const mine = (turn += 1);
  files = given;
  startOver();
  showLoading(element("study-state"), files.length === 1 ? "The model reads the series…" : `The model reads ${count(files.length, "file")}…`);
  try {
    isReading = true;
    const answer = await readStudy(files);
    if (mine === turn) show(answer);
  } catch (error) {
    const shown = await refusal(error);
    if (mine === turn) element("study-state").replaceChildren(shown);
  }
  if (mine === turn) isReading = false;
}

function startOver() {
  study = null;
  viewer.clear();
  for (const id of ["study", "slices", "again"]) element(id).hidden = true;
  element("workbench").classList.remove("has-queue");
  element("report-state").replaceChildren();
}

const COLUMNS = ["series", "place", "file", "position_mm", "predicted_class", "probability", "cancer_probability", "decision", "prediction_id"];

function lines({ slices }, series) {
  return slices.map(({ name, position, result }, at) => [series + 1, at + 1, name, position ?? "", result.predicted_class,
    result.probabilities[result.predicted_class], result.cancer_probability ?? "", result.decision, result.id]);
}

async function report() {
  const state = element("report-state");
  element("study-report").disabled = true;
  showLoading(state, "Writing the report…");
  try {
    const blob = await studyReport(files);
    const link = make("a", { href: URL.createObjectURL(blob), download: "report.dcm" });
    link.click();
    URL.revokeObjectURL(link.href);
    state.replaceChildren(make("p", { class: "fine", text: "The report is downloaded. It names patient and study as the files do, and is not kept here." }));
  } catch (error) {
    const problem = problemOf(error);
    state.replaceChildren(make("p", { class: "callout callout-care", text: `${problem.title}. ${sentence(problem.detail)}` }));
  }
  element("study-report").disabled = false;
}

guardLeaving(() => isReading);
takeChosen(element("file"), take);
takeFiles(element("stage"), take);
element("again").addEventListener("click", () => location.assign("/study"));
element("series").addEventListener("change", (event) => showSeries(Number(event.target.value)));
element("study-csv").addEventListener("click", () => downloadCsv("series.csv", [COLUMNS, ...study.series.flatMap(lines)]));
element("study-report").addEventListener("click", report);
