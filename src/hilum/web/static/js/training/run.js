// The run in focus, live while it is under way. Knows its part of the page and a run's events.
import { sendJson } from "../api.js";
import { drawEpochs } from "../charts/epochs.js";
import { checksTable } from "../checks.js";
import { ask } from "../dialog.js";
import { element, make, setText } from "../dom.js";
import { showEmpty } from "../states.js";
import { sentence } from "../words.js";
import { imagesOf, isActive, leftOf, stageOf, statusOf, titleOf } from "./words.js";

const AGAIN_MS = 3_000;
let shown = null;
let events = null;
let changed = () => {};

export const onRunChange = (listener) => { changed = listener; };

export function showNoRun() {
  showEmpty(element("run-state"), "No run yet", "Start one with the defaults: it takes minutes, and changes nothing unless the gate lets what it makes pass, or a person does.");
}

/** Shows a run, and follows it while it is under way. */
export function follow(run) {
  leave();
  show(run);
  if (isActive(run)) watch(run.id);
}

function leave() {
  events?.close();
  events = null;
  element("run-connection").hidden = true;
}

/** Follows a run; a browser gives up where it is answered with an error, so it is told to try again. */
function watch(id) {
  const mine = new EventSource(`/training-runs/${encodeURIComponent(id)}/events`);
  events = mine;
  mine.addEventListener("run", (event) => {
    const now = JSON.parse(event.data);
    const isNews = now.status !== shown.status;
    element("run-connection").hidden = true;
    show(now);
    if (!isActive(now)) leave();
    if (isNews) changed(now);
  });
  mine.addEventListener("error", () => {
    if (mine !== events) return;
    element("run-connection").hidden = false;
    if (mine.readyState === EventSource.CLOSED) setTimeout(() => { if (mine === events) watch(id); }, AGAIN_MS);
  });
}

function show(run) {
  shown = run;
  element("run-state").replaceChildren();
  element("run").hidden = false;
  const { label, pill } = statusOf(run);
  setText("run-title", titleOf(run));
  element("run-status").hidden = false;
  element("run-status").className = pill;
  setText("run-status", label);
  if (element("run-stage").textContent !== stageOf(run)) setText("run-stage", stageOf(run));
  element("run-progress").value = isActive(run) ? run.progress : 1;
  setText("run-left", leftOf(run));
  element("cancel").hidden = !isActive(run) || Boolean(run.cancel_requested_at);
  element("decline").hidden = run.status !== "awaiting-approval";
  element("run-failure").hidden = !run.failure;
  setText("run-failure", run.failure ? sentence(run.failure) : "");
  element("run-charts").hidden = run.epochs.length === 0;
  if (run.epochs.length) {
    drawEpochs(element("run-accuracy"), run.epochs, "accuracy");
    drawEpochs(element("run-loss"), run.epochs, "loss");
  }
  element("run-facts").replaceChildren(...facts(run));
  element("run-report").replaceChildren(...reportOf(run));
}

function facts(run) {
  const said = [["Learns from", imagesOf(run)], ["Started from", run.parent_version], ["Made", run.model_version], ["Note", run.note]];
  return said.filter(([, value]) => value).map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", { text: value })));
}

function reportOf(run) {
  const table = checksTable(run.report);
  if (!table) return [];
  const words = run.report.verdict === "promote" ? "The gate let it pass: by no check is it worse than the champion beyond the margin." : "The gate did not let it pass: each check that failed says what it did not show.";
  const next = { "awaiting-approval": " A person decides.", refused: " The champion stays." }[run.status] ?? "";
  const link = run.model_version && make("p", {}, make("a", { href: `/registry?model=${encodeURIComponent(run.model_version)}`, text: "Compare the models" }));
  return [make("h3", { text: "Against the champion" }), make("p", { class: "fine", text: words + next }), table, link].filter(Boolean);
}

element("cancel").addEventListener("click", async () => {
  const asked = shown;
  const cancelled = await ask({
    title: "Cancel this run?",
    parts: [make("p", { text: "What it has learned so far is lost. The champion goes on answering." })],
    action: "Cancel the run",
    isDangerous: true,
    act: () => sendJson("POST", `/training-runs/${encodeURIComponent(asked.id)}/cancel`),
  });
  if (cancelled && asked.id === shown.id) show(cancelled);
});

element("decline").addEventListener("click", async () => {
  const asked = shown;
  const declined = await ask({
    title: "Decline what this run made?",
    parts: [make("p", { text: `${asked.model_version} will not be promoted by this run; it stays in the registry. The champion goes on answering.` })],
    action: "Decline it",
    isDangerous: true,
    act: () => sendJson("POST", `/training-runs/${encodeURIComponent(asked.id)}/decline`),
  });
  if (!declined) return;
  if (asked.id === shown.id) show(declined);
  changed(declined);
});
