// Runs in words. Knows the shape of a run, no page.
import { count, duration, moment } from "../words.js";

const STATUS = {
  queued: ["Queued", ""],
  running: ["Running", "accent"],
  promoted: ["Promoted", "good"],
  "awaiting-approval": ["Awaiting approval", "care"],
  refused: ["Not promoted", "care"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", ""],
};
const STAGES = {
  snapshot: "Laying out the images",
  read: "Reading the images",
  vary: "Varying the images",
  features: "Taking features",
  fit: "Learning",
  refit: "Learning once more, from all of them",
  "cross-fit": "Learning without each part",
  pack: "Writing the model, and checking what it wrote",
  measure: "Measuring on the test images",
  evaluate: "Measuring on the test images",
  compare: "Comparing with the champion",
  register: "Keeping the model",
  decide: "Deciding on promotion",
};

/** Words and the pill's kind for a status. */
export function statusOf({ status }) {
  const [label, kind] = STATUS[status] ?? [status, ""];
  return { label, pill: kind ? `pill pill-${kind}` : "pill" };
}

export const isActive = ({ status }) => status === "queued" || status === "running";

export function stageOf(run) {
  if (run.status === "queued") return "Waiting for a worker";
  if (run.cancel_requested_at && isActive(run)) return "Cancelling…";
  if (!isActive(run)) return run.ended_at ? `Ended ${moment(run.ended_at)}` : statusOf(run).label;
  return STAGES[run.stage] ?? (run.stage ? `${run.stage.charAt(0).toUpperCase()}${run.stage.slice(1)}` : "Starting");
}

export function leftOf(run) {
  if (!isActive(run)) return tookOf(run) ? `Took ${tookOf(run)}` : "";
  const share = `${Math.round(run.progress * 100)}\u00a0%`;
  return typeof run.seconds_left === "number" ? `${share}, about ${duration(run.seconds_left)} left` : share;
}

export function tookOf({ started_at: from, ended_at: until }) {
  return from && until ? duration((new Date(until) - new Date(from)) / 1000) : "";
}

/** The best epoch by validation accuracy, or null. */
export function bestOf({ epochs }) {
  const known = epochs.filter((one) => typeof one.val_accuracy === "number");
  return known.length ? known.reduce((best, one) => (one.val_accuracy > best.val_accuracy ? one : best)) : null;
}

export function titleOf(run) {
  return `${run.mode === "full" ? "Full" : "Head"} run, ${moment(run.created_at)}`;
}

export const imagesOf = ({ n_images: images }) => count(images, "image");
