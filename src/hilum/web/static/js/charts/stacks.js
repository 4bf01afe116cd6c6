// Draws counts by group as stacked horizontal bars with Chart.js. Knows names and counts only.
import { axis, fitted, plot, series, text } from "./plot.js";

/** Shows for each of `labels` the `parts` `{label, values}` end to end. */
export function drawStacks(canvas, labels, parts) {
  plot(canvas, () => ({
    type: "bar",
    data: {
      labels: labels.map((name) => fitted(name, canvas.parentElement.clientWidth)),
      datasets: parts.map(({ label, values }, index) => ({ label, data: values, backgroundColor: series(index), barPercentage: 0.74 })),
    },
    options: {
      indexAxis: "y",
      maintainAspectRatio: false,
      animation: false,
      plugins: { legend: { position: "bottom", labels: { ...text(), boxWidth: 12, boxHeight: 12 } } },
      scales: { x: axis({ stacked: true }), y: axis({ stacked: true, grid: { display: false }, ticks: { autoSkip: false } }) },
    },
  }));
}
