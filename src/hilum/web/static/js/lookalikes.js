// The training slices most like the one answered for, in words: the server keeps no pictures of them.
import { className, list } from "./words.js";

const element = (id) => document.getElementById(id);

/** Shows the look-alikes of an answer; hides their part of the page where there are none. */
export function showLookAlikes({ look_alikes: found, predicted_class: predicted }) {
  element("look-alikes").hidden = !found?.length;
  if (!found?.length) return;
  element("look-alikes-list").replaceChildren(...found.map(row));
  element("look-alikes-note").textContent = note(found, predicted);
}

function row({ class_name: name, similarity, name: file, source }) {
  const item = document.createElement("li");
  const label = document.createElement("strong");
  label.textContent = className(name);
  const likeness = document.createElement("span");
  likeness.className = "likeness";
  likeness.textContent = similarity.toFixed(2);
  const origin = document.createElement("span");
  origin.className = "origin";
  origin.textContent = file === null ? source : `${source}: ${file}`;
  item.append(label, likeness, origin);
  return item;
}

function note(found, predicted) {
  const others = [...new Set(found.map((one) => one.class_name))].filter((name) => name !== predicted);
  const same = found.filter((one) => one.class_name === predicted).length;
  const scale = "1 is the same picture to the model, 0 no likeness beyond that of any two slices.";
  if (others.length === 0) return `All are of the predicted class. ${scale}`;
  const words = list(others.map((name) => className(name).toLowerCase()));
  return `${same} of ${found.length} are of the predicted class; the others are ${words}. ${scale}`;
}
