// Draws one value along a series with Chart.js; a click tells which point is meant. Knows numbers, not slices.
import { axis, plot, series } from "./plot.js";

/** Shows `points` `{x, y}` on `canvas`, those of `marked` (indices) larger; `choose(index)` is called for a click. */
export function drawProfile(canvas, points, { marked, shown, title, choose }) {
  const colours = points.map((_, index) => series(index === shown ? 3 : marked.includes(index) ? 1 : 0));
  plot(canvas, () => ({
    type: "line",
    data: {
      datasets: [{
        data: points,
        borderColor: series(0),
        borderWidth: 2,
        pointBackgroundColor: colours,
        pointBorderColor: colours,
        pointRadius: points.map((_, index) => (index === shown ? 6 : marked.includes(index) ? 4.5 : 2.5)),
        pointHitRadius: 10,
        clip: false,
      }],
    },
    options: {
      maintainAspectRatio: false,
      animation: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      onClick: (_, found) => { if (found.length) choose(found[0].index); },
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: { x: axis({ type: "linear", title }), y: axis({ min: 0, max: 1 }) },
    },
  }));
}
