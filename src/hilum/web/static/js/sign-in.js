// Wires the sign-in page: the key is sent once and becomes a cookie that scripts cannot read.
import { Refusal, signIn } from "./api.js";

const element = (id) => document.getElementById(id);

element("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? element("sign-in").querySelector("button");
  if (button.disabled) return;
  element("sign-in-refusal").textContent = "";
  button.disabled = true;
  try {
    await signIn(element("key").value);
    location.replace("/");
  } catch (error) {
    button.disabled = false;
    if (!(error instanceof Refusal)) throw error;
    element("sign-in-refusal").textContent = `${error.problem.title}: ${error.problem.detail}`;
    element("key").focus();
  }
});
