// Wires the button that ends the session.
import { signOut } from "./api.js";

document.getElementById("sign-out").addEventListener("click", async () => {
  await signOut();
  location.assign("/sign-in");
});
