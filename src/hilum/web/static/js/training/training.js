// Wires the page about training: start, follow, compare.
import { getJson, remedyFor, sendJson } from "../api.js";
import { element, make } from "../dom.js";
import { problemOf, showFailure } from "../states.js";
import { count, sentence } from "../words.js";
import { follow, onRunChange, showNoRun } from "./run.js";
import { showRuns } from "./runs.js";

const choose = (run) => {
  follow(run);
  element("run-title").scrollIntoView({ block: "nearest" });
};

function asked() {
  const form = new FormData(element("start"));
  const body = { mode: form.get("mode"), note: form.get("note").trim() };
  if (form.get("epochs")) body.epochs = Number(form.get("epochs"));
  if (form.get("policy")) body.policy = form.get("policy");
  return body;
}

async function refuse(error) {
  const problem = problemOf(error);
  const remedy = await remedyFor(problem);
  const lead = problem.code === "training-data-insufficient" ? make("a", { href: "/data", text: "Add labelled images" }) : null;
  element("start-refusal").replaceChildren(make("div", { class: "callout callout-care" },
    make("strong", { text: problem.title }), make("p", { text: `${sentence(problem.detail)} ${remedy}`.trim() }), lead));
}

async function start(event) {
  event.preventDefault();
  element("start-refusal").replaceChildren();
  element("start-button").disabled = true;
  element("start-button").textContent = "Starting…";
  try {
    const run = await sendJson("POST", "/retrain", asked());
    follow(run);
    element("note").value = "";
    showRuns(choose);
  } catch (error) {
    await refuse(error);
  }
  element("start-button").disabled = false;
  element("start-button").textContent = "Start training";
}

/** Says what there is to learn from; without the right to see it, nothing. */
async function showData() {
  try {
    const { distribution, since_last_run: fresh, quarantined } = await getJson("/dataset");
    const total = distribution.reduce((sum, row) => sum + row.count, 0);
    const note = element("data-note");
    note.hidden = false;
    if (total === 0) {
      note.className = "callout callout-care";
      note.replaceChildren("There are no labelled images yet. ", make("a", { href: "/data", text: "Add your own" }), " before the first run.");
      return;
    }
    const waiting = quarantined ? ` ${count(quarantined, "waits", "wait")} in quarantine.` : "";
    note.replaceChildren(`${count(total, "labelled image")}, ${fresh.toLocaleString("en")} of them new since the last run.${waiting} `, make("a", { href: "/data", text: "Look at them" }));
  } catch {
    element("data-note").hidden = true;
  }
}

element("start").addEventListener("submit", start);
onRunChange(() => { showRuns(choose); showData(); });
showData();
const wanted = new URLSearchParams(location.search).get("run");

/** Shows the run that the address asks for. */
async function showWanted() {
  try {
    follow(await getJson(`/training-runs/${encodeURIComponent(wanted)}`));
  } catch (error) {
    showFailure(element("run-state"), error, showWanted);
  }
}

async function begin() {
  const newest = await showRuns(choose, begin);
  if (wanted) showWanted();
  else if (newest) follow(newest);
  else if (newest === null) showNoRun();
  else element("run-state").replaceChildren(make("p", { class: "fine", text: "Shown once the runs can be read." }));
}

begin();
