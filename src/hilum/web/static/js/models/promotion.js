// Promotes and rolls back, after saying what that changes. Knows the registry's addresses.
import { sendJson } from "../api.js";
import { ask } from "../dialog.js";
import { make } from "../dom.js";
import { index } from "../figures.js";
import { count, percent } from "../words.js";

function headline(model) {
  if (!model?.headline?.accuracy) return "not measured";
  const { accuracy, macro_f1: f1, n } = model.headline;
  const share = `accuracy ${percent(accuracy.value)} (${percent(accuracy.low)} to ${percent(accuracy.high)})`;
  return `${share}${f1 ? `, macro F1 ${index(f1.value)}` : ""} on ${count(n, "slice")}`;
}

const changes = (...lines) => make("ul", { class: "changes" }, ...lines.filter(Boolean).map((text) => make("li", { text })));

/** Asks whether `model` is to be the champion; resolves to it once it is, or to null. */
export function promote(model, champion) {
  const verdict = model.report?.verdict;
  return ask({
    title: `Promote ${model.version}?`,
    parts: [
      changes(
        `From now on ${model.version} answers every prediction, on every server, within seconds. No request fails meanwhile.`,
        champion && `${champion.version} no longer answers. It is kept, and Roll back brings it back.`,
        `Now: ${headline(champion)}. Then: ${headline(model)}.`,
        "Past answers stay as they were given; their heat maps can only be drawn by the model that gave them.",
        "The audit log keeps who did this.",
      ),
      verdict === "refuse" ? make("p", { class: "callout callout-bad", text: "This model did not pass the gate against the champion of its time." }) : null,
    ].filter(Boolean),
    action: "Promote",
    isDangerous: verdict === "refuse",
    act: () => sendJson("POST", `/models/${encodeURIComponent(model.version)}/promote`, champion ? { expected_champion: champion.version } : {}),
  });
}

/** Asks whether the champion before this one is to come back. */
export function rollBack(champion, earlier) {
  return ask({
    title: `Roll back to ${earlier}?`,
    parts: [changes(
      `From now on ${earlier} answers every prediction again, on every server, within seconds.`,
      champion && `${champion.version} no longer answers. It is kept, and can be promoted again.`,
      "The audit log keeps who did this.",
    )],
    action: "Roll back",
    act: () => sendJson("POST", "/models/rollback"),
  });
}
