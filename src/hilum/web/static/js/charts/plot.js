// Puts a chart on a canvas in the page's colours, and again when these change. Knows Chart.js, not what is shown.

const drawn = new Map();

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Colour of the n-th series; there are six. */
export const series = (index) => colour(`--series-${(index % 6) + 1}`);

/** Type for axes and legends. */
export const text = () => ({ color: colour("--ink-soft"), font: { family: colour("--sans"), size: 13 } });

const NARROW = 420;

/** Names of several words take two lines where there is little room. */
export function fitted(name, width) {
  const words = name.split(" ");
  if (width >= NARROW || words.length < 2) return name;
  const half = Math.ceil(words.length / 2);
  return [words.slice(0, half).join(" "), words.slice(half).join(" ")];
}

/** An axis in the page's colours. */
export const axis = (more = {}) => {
  const { title, ticks, ...rest } = more;
  return {
    grid: { color: colour("--line") },
    border: { color: colour("--line") },
    ticks: { ...text(), maxTicksLimit: 6, ...ticks },
    title: title ? { display: true, text: title, ...text() } : { display: false },
    ...rest,
  };
};

/** Draws `settings()` on `canvas`; what was drawn there before moves on to it. Without Chart.js, the page says so. */
export function plot(canvas, settings) {
  if (!window.Chart) {
    document.documentElement.classList.add("without-charts");
    return;
  }
  const { type, data, options, plugins } = settings();
  const before = drawn.get(canvas)?.chart;
  const chart = before ?? new window.Chart(canvas, { type, data, options, plugins });
  drawn.set(canvas, { chart, settings });
  if (before) {
    Object.assign(before, { data, options });
    before.update();
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [canvas, { settings }] of [...drawn]) plot(canvas, settings);
});
