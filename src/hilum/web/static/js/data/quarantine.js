// Images that wait for a person: released, relabelled or deleted one by one. Knows its part of the page.
import { getJson, sendJson } from "../api.js";
import { ask } from "../dialog.js";
import { element, make, oneAtATime, setText } from "../dom.js";
import { problemOf, showEmpty, showFailure, showLoading } from "../states.js";
import { className, count, moment, sentence } from "../words.js";
import { picture, reasonWords } from "../pictures.js";

const PAGE = 24;
let next = null;
let classes = [];
let changed = () => {};

export const onRelease = (listener) => { changed = listener; };

/** The image that contradicts this one, to stand beside it. */
function otherPicture(image) {
  const named = image.reasons.map((reason) => reason.image_id).find((id) => id && id !== image.id);
  return named ? picture({ id: named }, 256, "The image it is compared with") : null;
}

function labels(image) {
  const names = classes.includes(image.class_name) ? classes : [image.class_name, ...classes];
  const select = make("select", { class: "input", "aria-label": "It shows" }, ...names.map((name) => make("option", { value: name, text: className(name) })));
  select.value = image.class_name;
  return select;
}

function card(image) {
  const select = labels(image);
  const refusal = make("p", { class: "callout callout-bad", role: "alert", hidden: true });
  const release = make("button", { type: "button", class: "button button-small button-primary", text: "Release", disabled: image.is_kept === false });
  const remove = make("button", { type: "button", class: "button button-small button-danger", text: "Delete" });
  const item = make("li", { class: "doubt" },
    make("div", { class: "pictures" }, picture(image, 256, `Image ${image.sha256.slice(0, 8)}`), otherPicture(image)),
    make("div", {}, make("strong", { text: className(image.class_name) }),
      make("ul", { class: "reasons" }, ...image.reasons.map((reason) => make("li", { text: sentence(reasonWords(reason)) }))),
      make("p", { class: "fine", text: moment(image.added_at) }),
      make("div", { class: "field" }, make("span", { class: "label", text: "It shows" }), select),
      make("div", { class: "buttons" }, release, remove), refusal));
  release.addEventListener("click", () => act(item, refusal, () => sendJson("POST", `/dataset/images/${image.id}/release`, { class_name: select.value })));
  remove.addEventListener("click", async () => {
    const isSure = await ask({
      title: "Delete this image?",
      parts: [make("p", { text: "It is never trained on again, and where it is sent again it waits in quarantine." })],
      action: "Delete",
      isDangerous: true,
      act: () => sendJson("DELETE", `/dataset/images/${image.id}`),
    });
    if (isSure) done(item);
  });
  return item;
}

async function act(item, refusal, work) {
  for (const button of item.querySelectorAll("button")) button.disabled = true;
  try {
    await work();
    done(item);
  } catch (error) {
    const problem = problemOf(error);
    refusal.textContent = `${problem.title}. ${sentence(problem.detail)}`;
    refusal.hidden = false;
    for (const button of item.querySelectorAll("button")) button.disabled = false;
  }
}

function done(item) {
  const following = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  following?.querySelector("button")?.focus();
  if (!element("quarantine-list").children.length) showQuarantine(classes);
  changed();
}

/** Shows what waits, the newest first. */
export async function showQuarantine(known) {
  classes = known;
  const state = element("quarantine-state");
  if (!element("quarantine-list").children.length) showLoading(state, "Looking into the quarantine…");
  try {
    const page = await getJson("/dataset/images", { status: "quarantined", limit: PAGE });
    element("quarantine-list").replaceChildren(...page.items.map(card));
    turn(page.next);
    if (page.items.length) state.replaceChildren();
    else showEmpty(state, "Nothing waits", "What the audit doubts, such as a copy under another class or a picture that is no chest CT, appears here.");
  } catch (error) {
    showFailure(state, error, () => showQuarantine(known));
  }
}

function turn(cursor) {
  next = cursor;
  element("quarantine-more").hidden = !next;
}

export const countQuarantine = (waiting) => setText("quarantine-note", waiting ? `${count(waiting, "image waits", "images wait")} for a person.` : "What the audit doubts waits here for a person.");

async function more() {
  try {
    const page = await getJson("/dataset/images", { status: "quarantined", limit: PAGE, cursor: next });
    element("quarantine-list").append(...page.items.map(card));
    element("quarantine-state").replaceChildren();
    turn(page.next);
  } catch (error) {
    showFailure(element("quarantine-state"), error, more);
  }
}

element("quarantine-more").firstElementChild.addEventListener("click", oneAtATime(more));
