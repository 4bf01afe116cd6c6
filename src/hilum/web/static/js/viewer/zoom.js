// Zooms and moves the picture: wheel, pinch, drag, keys and buttons. Knows the stage, not what it shows.
import { element } from "../dom.js";

const MOST = 12;
const STEP = 1.25;
let scale = 1;
let x = 0;
let y = 0;
const fingers = new Map();

function apply() {
  const { clientWidth: width, clientHeight: height } = element("picture");
  x = Math.min(0, Math.max(width * (1 - scale), x));
  y = Math.min(0, Math.max(height * (1 - scale), y));
  element("layers").style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  element("picture").classList.toggle("is-zoomed", scale > 1);
  element("zoom-value").textContent = `${Math.round(scale * 100)}\u00a0%`;
}

/** Scales about a point of the stage, which stays where it is. */
function zoomAt(wanted, pointX, pointY) {
  const next = Math.min(MOST, Math.max(1, wanted));
  x = pointX - ((pointX - x) * next) / scale;
  y = pointY - ((pointY - y) * next) / scale;
  scale = next;
  apply();
}

function zoomBy(factor) {
  const { clientWidth, clientHeight } = element("picture");
  zoomAt(scale * factor, clientWidth / 2, clientHeight / 2);
}

export function fit() {
  [scale, x, y] = [1, 0, 0];
  apply();
}

function place(event) {
  const box = element("picture").getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function move(event) {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = place(event);
  if (fingers.size === 1) {
    [x, y] = [x + now[0] - before[0], y + now[1] - before[1]];
    apply();
  } else if (fingers.size === 2) {
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1;
    zoomAt((scale * apart(now)) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }
  fingers.set(event.pointerId, now);
}

const KEYS = {
  "+": () => zoomBy(STEP),
  "=": () => zoomBy(STEP),
  "-": () => zoomBy(1 / STEP),
  0: fit,
  ArrowLeft: () => { x += 40; apply(); },
  ArrowRight: () => { x -= 40; apply(); },
  ArrowUp: () => { y += 40; apply(); },
  ArrowDown: () => { y -= 40; apply(); },
};

const picture = element("picture");
picture.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoomAt(scale * (event.deltaY < 0 ? STEP : 1 / STEP), ...place(event));
}, { passive: false });
picture.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  picture.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, place(event));
});
picture.addEventListener("pointermove", move);
for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, (event) => fingers.delete(event.pointerId));
picture.addEventListener("dblclick", (event) => (scale > 1 ? fit() : zoomAt(2.5, ...place(event))));
picture.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  KEYS[event.key]();
});
element("zoom-in").addEventListener("click", () => zoomBy(STEP));
element("zoom-out").addEventListener("click", () => zoomBy(1 / STEP));
element("zoom-fit").addEventListener("click", fit);
element("full-screen").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else element("viewer").requestFullscreen();
});
window.addEventListener("resize", apply);
