// Wires the page about models: list, compare, promote, roll back.
import { getJson } from "../api.js";
import { element, make, setText } from "../dom.js";
import { showEmpty, showFailure, showLoading } from "../states.js";
import { compare } from "./comparison.js";
import { promote, rollBack } from "./promotion.js";
import { isChampion, showVersions } from "./versions.js";

let models = [];
let champion = null;
let earlier = null;

async function show() {
  if (models.length === 0) showLoading(element("models-state"), "Reading the registry…");
  try {
    const found = await getJson("/models");
    models = found.items;
    earlier = found.rollback_to;
    champion = models.find(isChampion) ?? null;
    list(found.shadow);
  } catch (error) {
    showFailure(element("models-state"), error, show);
  }
}

function list(shadow) {
  element("models-state").replaceChildren();
  if (models.length === 0) showEmpty(element("models-state"), "No models yet", "A training run makes one.", [{ label: "Start a run", href: "/training" }]);
  showVersions(models, { compare: chooseRight, promote: askToPromote });
  element("rollback").hidden = !earlier;
  setText("shadow", shadow ? shadowWords(shadow) : "");
  offer();
}

function shadowWords({ compared, disagreement }) {
  if (!compared) return "The challenger answers live slices too, unseen.";
  const share = `${(disagreement.value * 100).toFixed(1)}\u00a0% (${(disagreement.low * 100).toFixed(1)} to ${(disagreement.high * 100).toFixed(1)})`;
  return `Unseen, the challenger answered ${compared.toLocaleString("en")} of the same live slices; on ${share} it said otherwise.`;
}

const option = ({ version, aliases }) => make("option", { value: version, text: [version, ...aliases.map((alias) => `(${alias})`)].join(" ") });

/** Offers pairs to compare: the champion, against the challenger or the newest other. */
function offer() {
  const others = models.filter((model) => model !== champion);
  if (!champion || others.length === 0) {
    element("comparison").hidden = true;
    return;
  }
  const asked = new URLSearchParams(location.search).get("model");
  const before = element("right").value;
  const wanted = [before, asked].map((version) => others.find((model) => model.version === version)).find(Boolean);
  const right = wanted ?? others.find(({ aliases }) => aliases.includes("challenger")) ?? others[0];
  element("left").replaceChildren(...models.map(option));
  element("right").replaceChildren(...models.map(option));
  element("left").value = champion.version;
  element("right").value = right.version;
  compareChosen();
}

function compareChosen() {
  compare(element("left").value, element("right").value);
}

function chooseRight(model) {
  element("right").value = model.version;
  compareChosen();
  element("comparison-title").scrollIntoView({ block: "start" });
}

async function askToPromote(model) {
  let detail = model;
  try {
    detail = await getJson(`/models/${encodeURIComponent(model.version)}`);
  } catch {
    detail = model; // the dialog then says less; the server still checks
  }
  if (await promote(detail, champion)) await show();
}

element("rollback").addEventListener("click", async () => {
  if (await rollBack(champion, earlier)) await show();
});
for (const id of ["left", "right"]) element(id).addEventListener("change", compareChosen);
show();
