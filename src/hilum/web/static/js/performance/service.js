// How the running server does: what it answered and how fast. Knows hilum's instruments by name.
import { health, serviceCounters } from "../api.js";
import { element, make, setText } from "../dom.js";
import { row, textCell } from "../figures.js";
import { showFailure, showLoading } from "../states.js";
import { duration, percent } from "../words.js";
import { histogram, samplesOf, total } from "./prometheus.js";

const STAGES = { upload: "Receive the file", wait: "Wait for a turn", compute: "Decode and answer", store: "Store the answer" };

function time(seconds) {
  if (seconds === null) return "none";
  if (seconds === Infinity) return "over 10 s";
  if (seconds >= 1) return `${seconds.toFixed(1)} s`;
  const milliseconds = seconds * 1000;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}

function stageRow(samples, stage) {
  const { count: times, mean, quantile } = histogram(samples, "prediction_stage_seconds", (labels) => labels.stage === stage);
  return row(STAGES[stage] ?? stage, [
    textCell(times.toLocaleString("en")), textCell(time(mean)), textCell(time(quantile(0.5))), textCell(time(quantile(0.95))),
  ]);
}

/** Of a request that somebody made; a probe that is told “not ready” has not failed. */
const isAsked = ({ route }) => !route?.startsWith("/health");

function cards(samples) {
  const predictions = total(samples, "predictions_total");
  const review = total(samples, "predictions_total", ({ decision }) => decision === "review");
  const requests = total(samples, "http_requests_total", isAsked);
  const failed = total(samples, "http_requests_total", (labels) => isAsked(labels) && labels.status.startsWith("5"));
  const predict = histogram(samples, "http_request_seconds", ({ route }) => route === "/predict");
  return [
    ["Slices answered", predictions.toLocaleString("en")],
    ["Left to a person", predictions ? percent(review / predictions) : "none yet"],
    ["Slices refused", total(samples, "input_rejected_total").toLocaleString("en")],
    ["Half of the predictions within", predict.count ? time(predict.quantile(0.5)) : "none yet"],
    ["95 % of the predictions within", predict.count ? time(predict.quantile(0.95)) : "none yet"],
    ["Requests that failed", `${failed.toLocaleString("en")} of ${requests.toLocaleString("en")}`],
  ];
}

/** Shows what the server counted since it started. */
export async function showService() {
  showLoading(element("service-state"), "Asking the server…");
  try {
    const [state, text] = await Promise.all([health(), serviceCounters()]);
    const samples = samplesOf(text);
    element("service-figures").replaceChildren(...cards(samples).map(([label, value]) =>
      make("div", {}, make("dt", { text: label }), make("dd", { text: value }))));
    element("service-rows").replaceChildren(...Object.keys(STAGES).map((stage) => stageRow(samples, stage)));
    const reasons = state.degraded_reasons.map((reason) => make("p", { class: "callout callout-care", text: reason }));
    element("service-state").replaceChildren(...reasons);
    setText("service-note", `Since it started ${duration(state.uptime_s)} ago, in this process. hilum ${state.versions.hilum ?? ""}`.trim());
    for (const id of ["service-figures", "service-table"]) element(id).hidden = false;
  } catch (error) {
    showFailure(element("service-state"), error, showService);
  }
}
