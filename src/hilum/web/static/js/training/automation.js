// When hilum retrains without being asked, and what its triggers say now. Knows its part of the page.
import { getJson, sendJson } from "../api.js";
import { element, make, setText } from "../dom.js";
import { problemOf, showFailure, showLoading } from "../states.js";
import { moment, sentence } from "../words.js";
import { settingOf, shownAs, TRIGGERS, valueWords } from "./triggers.js";

const EVERY_MS = 30_000;
const form = element("automation");
let isTouched = false;

function field({ name, label, unit, step }) {
  const input = make("input", { class: "input", type: "number", id: `trigger-${name}`, name, min: step, step, placeholder: "off", "aria-describedby": `now-${name}` });
  return make("div", { class: "trigger", data: { trigger: name } },
    make("label", { for: `trigger-${name}`, text: label }),
    make("div", { class: "trigger-value" }, input, make("span", { class: "fine", text: unit })),
    make("p", { class: "fine", id: `now-${name}` }));
}

function showReading({ name, value, threshold, is_due: isDue }) {
  const trigger = TRIGGERS.find((one) => one.name === name);
  if (!trigger) return;
  element(`now-${name}`).replaceChildren(valueWords(trigger, value), isDue ? make("span", { class: "pill pill-care due", text: "Due" }) : "");
  if (!isTouched) element(`trigger-${name}`).value = shownAs(trigger, threshold);
}

function outcomeOf({ at, did, triggers, run_id: run, reason }) {
  const why = triggers.map((name) => TRIGGERS.find((one) => one.name === name)?.why ?? name).join(", ");
  const words = {
    suggested: `A run is due, since ${moment(at)}: ${why}. Start it above.`,
    started: `Started a run, ${moment(at)}: ${why}. `,
    failed: `A run could not be started, ${moment(at)}: ${sentence(reason ?? "the log says why")}`,
  };
  return make("p", { class: `callout ${did === "started" ? "" : "callout-care"}`.trim() }, words[did] ?? "",
    did === "started" && run ? make("a", { href: `/training?run=${encodeURIComponent(run)}`, text: "Look at it" }) : null);
}

function show(automation) {
  element("automation-state").replaceChildren();
  form.hidden = false;
  if (!isTouched) form.elements.action.value = automation.action;
  automation.triggers.forEach(showReading);
  element("automation-outcome").replaceChildren(...(automation.outcome ? [outcomeOf(automation.outcome)] : []));
}

async function read() {
  try {
    show(await getJson("/automation"));
  } catch (error) {
    if (form.hidden) showFailure(element("automation-state"), error, read);
  }
}

async function save(event) {
  event.preventDefault();
  element("automation-save").disabled = true;
  setText("automation-note", "Saving…");
  const said = Object.fromEntries(TRIGGERS.map((trigger) => [trigger.name, settingOf(trigger, element(`trigger-${trigger.name}`).value)]));
  try {
    const kept = await sendJson("PUT", "/automation", { ...said, action: form.elements.action.value });
    isTouched = false;
    show(kept);
    setText("automation-note", "Saved, for every server.");
  } catch (error) {
    const problem = problemOf(error);
    setText("automation-note", `Not saved. ${problem.title}. ${sentence(problem.detail)}`);
  }
  element("automation-save").disabled = false;
}

element("triggers").replaceChildren(...TRIGGERS.map(field));
form.addEventListener("input", () => { isTouched = true; setText("automation-note", "Not saved yet."); });
form.addEventListener("submit", save);
showLoading(element("automation-state"), "Reading the triggers…");
read();
setInterval(read, EVERY_MS);
