// Wires the button that ends the session.
import { signOut } from "./api.js";

const button = document.getElementById("sign-out");

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    await signOut();
    location.assign("/sign-in");
  } catch {
    button.disabled = false;
    button.textContent = "Not signed out; try again";
  }
});
