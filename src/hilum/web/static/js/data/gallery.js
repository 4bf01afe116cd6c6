// Thumbnails of labelled images by class, split, source and status. Knows its part of the page.
import { getJson } from "../api.js";
import { element, make, oneAtATime } from "../dom.js";
import { showEmpty, showFailure, showLoading } from "../states.js";
import { className, partName } from "../words.js";
import { picture } from "../pictures.js";

const PAGE = 60;
const FILTERS = ["class_name", "split", "source", "status"];
let next = null;
let turn = 0;

const wanted = () => Object.fromEntries(FILTERS.map((name) => [name, element(name).value]));

const isFiltered = () => FILTERS.some((name) => element(name).value !== (name === "status" ? "accepted" : ""));

function tile(image) {
  return make("li", { class: "image", title: image.sha256 }, picture(image, 128),
    make("p", { text: className(image.class_name) }), make("span", { class: "fine", text: `${partName(image.split)}, ${partName(image.source).toLowerCase()}` }));
}

/** Shows the first page of what the filters want. */
export async function showGallery() {
  const mine = (turn += 1);
  const state = element("images-state");
  if (!element("images-list").children.length) showLoading(state, "Reading the images…");
  try {
    const page = await getJson("/dataset/images", { ...wanted(), limit: PAGE });
    if (mine !== turn) return;
    element("images-list").replaceChildren(...page.items.map(tile));
    follow(page.next);
    if (page.items.length) state.replaceChildren();
    else if (isFiltered()) showEmpty(state, "No images", "None fits these filters.");
    else showEmpty(state, "No images yet", "What is added above stands here, the newest first.");
  } catch (error) {
    if (mine !== turn) return;
    element("images-list").replaceChildren();
    follow(null);
    showFailure(state, error, showGallery);
  }
}

function follow(cursor) {
  next = cursor;
  element("images-more").hidden = !next;
}

/** Offers the classes there are as a filter. */
export function offerClasses(classes) {
  const { value } = element("class_name");
  element("class_name").replaceChildren(make("option", { value: "", text: "Any" }), ...classes.map((name) => make("option", { value: name, text: className(name) })));
  element("class_name").value = classes.includes(value) ? value : "";
}

element("image-filters").addEventListener("change", showGallery);
element("image-filters").addEventListener("submit", (event) => event.preventDefault());
async function more() {
  const mine = turn;
  try {
    const page = await getJson("/dataset/images", { ...wanted(), limit: PAGE, cursor: next });
    if (mine !== turn) return;
    element("images-list").append(...page.items.map(tile));
    element("images-state").replaceChildren();
    follow(page.next);
  } catch (error) {
    if (mine === turn) showFailure(element("images-state"), error, more);
  }
}

element("images-more").firstElementChild.addEventListener("click", oneAtATime(more));
