// Finds and makes elements. Text is set as text, whoever wrote it.

export const element = (id) => document.getElementById(id);

export const setText = (id, text) => { element(id).textContent = text; };

/** Makes an element: `text`, `class`, `on` (listeners by event), `data`, and attributes; null ones are left out. */
export function make(tag, { text, on = {}, data = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  Object.assign(made.dataset, data);
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** `work` as a listener that passes over calls while one is under way. */
export function oneAtATime(work) {
  let isUnderWay = false;
  return async (...given) => {
    if (isUnderWay) return;
    isUnderWay = true;
    try {
      await work(...given);
    } finally {
      isUnderWay = false;
    }
  };
}

/** Asks before the page is left or loaded anew while `isBusy()`: what is under way would be lost. */
export function guardLeaving(isBusy) {
  window.addEventListener("beforeunload", (event) => { if (isBusy()) event.preventDefault(); });
}

/** Runs `work` at most once a frame, however often it is asked for. */
export function oncePerFrame(work) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => { isAsked = false; work(); });
  };
}
