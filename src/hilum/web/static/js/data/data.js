// Wires the page about data: add, look over, work through the quarantine.
import { getJson, servedClasses } from "../api.js";
import { element } from "../dom.js";
import { showFailure, showLoading } from "../states.js";
import { offerClasses, showGallery } from "./gallery.js";
import { showOverview } from "./overview.js";
import { countQuarantine, onRelease, showQuarantine } from "./quarantine.js";
import { offerLabels, onUploadEnd } from "./upload.js";

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

const ofModel = servedClasses(); // a label is likely one of them

async function show() {
  const images = showGallery();
  if (!element("quarantine-list").children.length) showLoading(element("quarantine-state"), "Looking into the quarantine…");
  const [stored, named] = await Promise.all([overview(), ofModel]);
  const classes = [...new Set([...stored, ...named])].sort();
  offerLabels(classes);
  await Promise.all([showQuarantine(classes), images]);
}

onUploadEnd(show);
onRelease(() => { overview(); showGallery(); });
show();
