// Wires the page about data: add, look over, work through the quarantine.
import { getJson, measuredPerformance } from "../api.js";
import { element } from "../dom.js";
import { showFailure, showLoading } from "../states.js";
import { offerClasses, showGallery } from "./gallery.js";
import { showOverview } from "./overview.js";
import { countQuarantine, onRelease, showQuarantine } from "./quarantine.js";
import { offerLabels, onUploadEnd } from "./upload.js";

/** Classes of the served model: a label is likely one of them. */
async function modelClasses() {
  try {
    return (await measuredPerformance()).class_names ?? [];
  } catch {
    return [];
  }
}

async function overview() {
  if (element("overview").hidden) showLoading(element("overview-state"), "Counting…");
  try {
    const dataset = await getJson("/dataset");
    showOverview(dataset);
    countQuarantine(dataset.quarantined);
    offerClasses(dataset.classes);
    return dataset.classes;
  } catch (error) {
    showFailure(element("overview-state"), error, overview);
    return [];
  }
}

const ofModel = await modelClasses();

async function show() {
  const classes = [...new Set([...(await overview()), ...ofModel])].sort();
  offerLabels(classes);
  await Promise.all([showQuarantine(classes), showGallery()]);
}

onUploadEnd(show);
onRelease(() => { overview(); showGallery(); });
show();
