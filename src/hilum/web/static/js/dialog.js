// Asks before something is changed. Knows the dialog element, not what is asked.
import { make } from "./dom.js";
import { problemOf } from "./states.js";
import { sentence } from "./words.js";

/**
 * Shows a question with `parts` (elements) and does `act()` once it is confirmed; a refusal is shown in place.
 * Resolves to what `act` gave, or to null where the person thought better of it.
 */
export function ask({ title, parts = [], action, isDangerous = false, act }) {
  return new Promise((resolve) => {
    const refusal = make("p", { class: "callout callout-bad", role: "alert", hidden: true });
    const cancel = make("button", { class: "button", type: "button", text: "Cancel" });
    const confirm = make("button", { class: `button ${isDangerous ? "button-danger" : "button-primary"}`, type: "button", text: action });
    const dialog = make("dialog", { "aria-labelledby": "dialog-title" },
      make("h2", { id: "dialog-title", text: title }), ...parts, refusal, make("div", { class: "buttons" }, cancel, confirm));
    let result = null;
    let acting = null;
    const doAct = async () => {
      for (const button of [cancel, confirm]) button.disabled = true;
      confirm.textContent = "One moment…";
      try {
        result = (await act()) ?? true;
        dialog.close();
      } catch (error) {
        const problem = problemOf(error);
        refusal.textContent = `${problem.title}. ${sentence(problem.detail)}`;
        refusal.hidden = false;
        confirm.textContent = action;
        for (const button of [cancel, confirm]) button.disabled = false;
        acting = null;
      }
    };
    cancel.addEventListener("click", () => dialog.close());
    confirm.addEventListener("click", () => { acting = doAct(); });
    dialog.addEventListener("cancel", (event) => { if (acting) event.preventDefault(); });
    dialog.addEventListener("close", async () => {
      dialog.remove();
      await acting; // Chromium lets a second Escape close it; what was begun is done all the same
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}
