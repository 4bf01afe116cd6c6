// Draws curves with Chart.js. Knows points and names, not what they measure.
import { axis, plot, series, text } from "./plot.js";

/**
 * Shows `curves` `{label, points: [{x, y}], isDashed, isReference, isLoose}` on `canvas`.
 * `x` and `y` say of an axis: `{title, min, max, suggestedMin, suggestedMax}`.
 */
export function drawLines(canvas, curves, { x = {}, y = {}, isStepped = false, hasPoints = false, hasLegend = true } = {}) {
  plot(canvas, () => ({
    type: "line",
    data: { datasets: curves.map((curve, index) => dataset(curve, index, { isStepped, hasPoints })) },
    options: {
      maintainAspectRatio: false,
      animation: false,
      interaction: { mode: "nearest", intersect: false },
      plugins: {
        legend: { display: hasLegend, position: "bottom", labels: { ...text(), usePointStyle: true, pointStyle: "line", filter: ({ text: label }) => label !== "" } },
        tooltip: { enabled: true },
      },
      scales: { x: axis({ type: "linear", ...x }), y: axis(y) },
    },
  }));
}

function dataset({ label, points, isDashed = false, isReference = false, isLoose = false }, index, { isStepped, hasPoints }) {
  const colour = isReference ? series(5) : series(index);
  return {
    label,
    data: points,
    borderColor: colour,
    backgroundColor: colour,
    borderWidth: isReference ? 1 : 2,
    borderDash: isDashed || isReference ? [5, 4] : [],
    pointRadius: hasPoints && !isReference ? (point) => point.raw?.radius ?? 3 : 0,
    pointHitRadius: isReference ? 0 : 8,
    stepped: isStepped && !isReference ? "after" : false,
    showLine: !isLoose,
    clip: isLoose || hasPoints ? false : 2, // a point at the edge is drawn whole
  };
}
