// Puts a chart on a canvas in the page's colours, and again when these change. Knows Chart.js, not what is shown.

const drawn = new Map();

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Colour of the n-th series; there are six. */
export const series = (index) => colour(`--series-${(index % 6) + 1}`);

/** Type for axes and legends. */
export const text = () => ({ color: colour("--ink-soft"), font: { family: colour("--sans"), size: 13 } });

const NARROW = 420;
const LETTERS = { narrow: 16, wide: 34 };

const cut = (words, letters) => (words.length > letters ? `${words.slice(0, letters - 1)}…` : words);

/** A name on two lines at most, as long as a chart of this width has room for; a table has it whole. */
export function fitted(name, width) {
  const letters = width < NARROW ? LETTERS.narrow : LETTERS.wide;
  if (name.length <= letters) return name;
  const words = name.split(" ");
  let first = words.shift();
  while (words.length && `${first} ${words[0]}`.length <= letters) first += ` ${words.shift()}`;
  return [cut(first, letters), cut(words.join(" "), letters)].filter(Boolean);
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
