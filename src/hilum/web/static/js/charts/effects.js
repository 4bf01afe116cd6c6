// Draws effects with their intervals as horizontal bars with Chart.js. Knows canvases, not what the effects are of.
import { axis, colour, fitted, plot } from "./plot.js";

/** The 95 % interval of each bar as a line. */
const intervals = {
  id: "intervals",
  afterDatasetsDraw(chart) {
    const { ctx, scales } = chart;
    ctx.save();
    ctx.strokeStyle = colour("--ink");
    ctx.lineWidth = 1.5;
    chart.getDatasetMeta(0).data.forEach((bar, index) => {
      const { low, high } = chart.data.figures[index];
      if (typeof low !== "number" || typeof high !== "number") return;
      ctx.beginPath();
      ctx.moveTo(scales.x.getPixelForValue(low), bar.y);
      ctx.lineTo(scales.x.getPixelForValue(high), bar.y);
      ctx.stroke();
    });
    ctx.restore();
  },
};

function settings(labels, figures) {
  const ends = figures.flatMap(({ value, low, high }) => [value, low, high]).filter((end) => typeof end === "number");
  return {
    type: "bar",
    data: {
      labels,
      figures,
      datasets: [{ data: figures.map(({ value }) => value), backgroundColor: colour("--bar"), borderRadius: 3, barPercentage: 0.72 }],
    },
    options: {
      indexAxis: "y",
      maintainAspectRatio: false,
      animation: false,
      events: [],
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: axis({
          suggestedMin: Math.min(0, ...ends),
          suggestedMax: Math.max(0.05, ...ends),
          border: { display: false },
          ticks: { maxTicksLimit: 5 },
        }),
        y: axis({ grid: { display: false }, ticks: { autoSkip: false, maxTicksLimit: 99 } }),
      },
    },
    plugins: [intervals],
  };
}

/** Shows `figures` `{value, low, high}` with `labels` on `canvas`, replacing what was there. */
export function drawEffects(canvas, labels, figures) {
  plot(canvas, () => settings(labels.map((name) => fitted(name, canvas.parentElement.clientWidth)), figures));
}
