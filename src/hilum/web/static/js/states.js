// What a part of a page shows while it has nothing to show: it loads, is empty, or failed.
import { Refusal } from "./api.js";
import { make } from "./dom.js";
import { sentence } from "./words.js";

export function showLoading(part, words = "Loading…") {
  part.replaceChildren(
    make("div", { class: "state state-loading", role: "status" }, make("span", { class: "spinner", "aria-hidden": "true" }), make("p", { text: words })),
  );
}

/** An empty part leads on: `actions` are links `{label, href}`, the first the main one. */
export function showEmpty(part, title, words, actions = []) {
  const links = actions.map(({ label, href }, index) =>
    make("a", { class: index === 0 ? "button button-primary" : "button", href, text: label }));
  part.replaceChildren(
    make("div", { class: "state" }, make("h3", { text: title }), make("p", { text: words }),
      links.length ? make("div", { class: "buttons" }, ...links) : null),
  );
}

/** Shows why a part failed, and a way to try again. */
export function showFailure(part, error, again = null) {
  if (!(error instanceof Refusal)) console.error(error);
  const problem = problemOf(error);
  const button = again && make("button", { class: "button", type: "button", text: "Try again", on: { click: again } });
  part.replaceChildren(
    make("div", { class: "state state-error", role: "alert" }, make("h3", { text: problem.title }),
      make("p", { text: sentence(problem.detail) }), button ? make("div", { class: "buttons" }, button) : null),
  );
}

/** The problem document of an error, whatever failed. */
export function problemOf(error) {
  if (error instanceof Refusal) return error.problem;
  return { title: "This could not be shown", detail: "Something failed in this page." };
}
