// Draws effects with their intervals as horizontal bars with Chart.js. Knows canvases, not what the effects are of.

const drawn = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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
  const text = { color: colour("--ink-soft"), font: { family: colour("--sans"), size: 13 } };
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
        x: {
          suggestedMin: Math.min(0, ...ends),
          suggestedMax: Math.max(0.05, ...ends),
          grid: { color: colour("--line") },
          border: { display: false },
          ticks: { ...text, maxTicksLimit: 5 },
        },
        y: { grid: { display: false }, border: { color: colour("--line") }, ticks: { ...text, autoSkip: false } },
      },
    },
    plugins: [intervals],
  };
}

/** Shows `figures` `{value, low, high}` with `labels` on `canvas`, replacing what was there. */
export function drawEffects(canvas, labels, figures) {
  drawn.get(canvas)?.destroy();
  drawn.set(canvas, new window.Chart(canvas, settings(labels, figures)));
}

/** Draws again when the colour scheme changes. */
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [canvas, chart] of drawn) drawEffects(canvas, chart.data.labels, chart.data.figures);
});
