// The training slices most like the one answered for, in words: the server keeps no pictures of them.
import { element, make } from "../dom.js";
import { className, list } from "../words.js";

/** Shows the look-alikes of an answer; hides their part of the page where there are none. */
export function showLookAlikes({ look_alikes: found, predicted_class: predicted }) {
  element("look-alikes").hidden = !found?.length;
  element("look-alikes-note").hidden = !found?.length;
  if (!found?.length) return;
  element("look-alikes-list").replaceChildren(...found.map(row));
  element("look-alikes-note").textContent = note(found, predicted);
}

function row({ class_name: name, similarity, name: file, source }) {
  return make("li", {},
    make("strong", { text: className(name) }),
    make("span", { class: "likeness", text: similarity.toFixed(2) }),
    make("span", { class: "origin", text: file === null ? source : `${source}: ${file}` }));
}

function note(found, predicted) {
  const others = [...new Set(found.map((one) => one.class_name))].filter((name) => name !== predicted);
  const same = found.filter((one) => one.class_name === predicted).length;
  const scale = "Likeness 1 is the same picture to the model, 0 none beyond that of any two slices.";
  if (others.length === 0) return `All ${found.length} most similar training slices are of the predicted class. ${scale}`;
  const words = list(others.map((name) => className(name).toLowerCase()));
  return `${same} of the ${found.length} most similar training slices are of the predicted class; the others are ${words}. ${scale}`;
}
