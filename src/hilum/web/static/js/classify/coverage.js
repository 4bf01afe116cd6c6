// How often a model's prediction sets held the true class, as it was measured. Knows that part of metrics.json.
import { measuredPerformance } from "../api.js";
import { count, partName, percent } from "../words.js";

const UNKNOWN = "How often that holds could not be read just now; see Performance.";
const UNMEASURED = "How often that holds was not measured for this model.";
let asked = null;

/** Asks once for each version; what failed is asked for again. */
function measured(version) {
  if (asked?.version !== version) {
    const metrics = measuredPerformance();
    asked = { version, metrics };
    metrics.catch(() => { asked = null; });
  }
  return asked.metrics;
}

function inWords({ coverage: { value, low, high, n }, target }, split) {
  const interval = typeof low === "number" ? ` (${percent(low)} to ${percent(high)})` : "";
  return `Such sets held the true class in ${percent(value)}${interval} of ${count(n, "slice")} (${partName(split).toLowerCase()}); they are made for ${percent(target)}. For new patients nothing is promised.`;
}

/** The measured coverage of the sets of model `version`, or why there is none, as a sentence. */
export async function coverageOf(version) {
  try {
    const metrics = await measured(version);
    const isOfIt = metrics.model_version === version;
    return isOfIt && typeof metrics.conformal?.coverage?.value === "number" ? inWords(metrics.conformal, metrics.split ?? "unknown split") : UNMEASURED;
  } catch (error) {
    return error.problem?.code === "metrics-missing" ? UNMEASURED : UNKNOWN;
  }
}
