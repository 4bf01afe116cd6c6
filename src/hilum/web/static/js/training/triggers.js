// What can make a run due, in words. Knows the shape of `GET /automation`, no page.
import { percent } from "../words.js";

/** Each setting: how its threshold is asked for, and `scale` between what is shown and what the server keeps. */
export const TRIGGERS = [
  { name: "after_images", label: "New labelled images", unit: "images", why: "enough new images", step: "1", scale: 1, written: (value) => value.toLocaleString("en") },
  { name: "every_hours", label: "Time since the last run", unit: "hours", why: "enough time passed", step: "any", scale: 1, written: (value) => `${value.toFixed(1)}\u00a0h` },
  { name: "drift", label: "Drift of recent slices", unit: "stability index", why: "recent slices drifted", step: "any", scale: 1, written: (value) => value.toFixed(2) },
  { name: "corrections", label: "Answers that people corrected", unit: "%", why: "many answers were corrected", step: "any", scale: 100, written: percent },
];

/** What is typed, as the server takes it; nothing is off. */
export function settingOf({ scale }, typed) {
  return typed.trim() === "" ? null : Number(typed) / scale;
}

/** A threshold as it is typed. */
export function shownAs({ scale }, threshold) {
  return threshold === null || threshold === undefined ? "" : String(Number((threshold * scale).toPrecision(12)));
}

/** What a trigger says now. */
export function valueWords({ written }, value) {
  return typeof value === "number" ? `Now ${written(value)}` : "Nothing to go by yet";
}
