// Draws probabilities as horizontal bars with Chart.js. Knows the canvas, not where the numbers come from.
import { asProbability } from "../words.js";
import { colour, isCalm, plot } from "./plot.js";

const GAP = 12;

/** `words` as far as there is room for them; the table of the answer has them whole. */
function fitting(ctx, words, room) {
  if (ctx.measureText(words).width <= room) return words;
  let letters = words.length;
  while (letters > 1 && ctx.measureText(`${words.slice(0, letters)}…`).width > room) letters -= 1;
  return `${words.slice(0, letters).trimEnd()}…`;
}

const captions = {
  id: "captions",
  afterDatasetsDraw(drawn) {
    const { ctx, data, chartArea } = drawn;
    ctx.save();
    ctx.fillStyle = colour("--ink");
    ctx.textBaseline = "alphabetic";
    drawn.getDatasetMeta(0).data.forEach((bar, index) => {
      const baseline = bar.y - bar.height / 2 - 6;
      const share = asProbability(data.datasets[0].data[index]);
      ctx.font = `600 14px ${colour("--sans")}`;
      ctx.textAlign = "right";
      ctx.fillText(share, chartArea.right, baseline);
      const room = chartArea.width - ctx.measureText(share).width - GAP;
      ctx.font = `14px ${colour("--sans")}`;
      ctx.textAlign = "left";
      ctx.fillText(fitting(ctx, data.labels[index], room), chartArea.left, baseline);
    });
    ctx.restore();
  },
};

/** The unfilled rest of each bar, so that its length reads as a share of one. */
const tracks = {
  id: "tracks",
  beforeDatasetsDraw(drawn) {
    const { ctx, chartArea } = drawn;
    ctx.save();
    ctx.fillStyle = colour("--surface-sunk");
    for (const bar of drawn.getDatasetMeta(0).data) {
      ctx.beginPath();
      ctx.roundRect(chartArea.left, bar.y - bar.height / 2, chartArea.width, bar.height, 5);
      ctx.fill();
    }
    ctx.restore();
  },
};

function settings(labels, values) {
  const best = values.indexOf(Math.max(...values));
  return {
    type: "bar",
    data: {
      labels,
      datasets: [{
        data: values,
        backgroundColor: values.map((_, index) => colour(index === best ? "--bar" : "--bar-soft")),
        borderRadius: 5,
        borderSkipped: false,
        barThickness: 10,
      }],
    },
    options: {
      indexAxis: "y",
      maintainAspectRatio: false,
      animation: isCalm ? false : { duration: 350 },
      layout: { padding: { top: 8 } },
      events: [],
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: { x: { min: 0, max: 1, display: false }, y: { display: false } },
    },
    plugins: [tracks, captions],
  };
}

/** Shows `labels` with `values` in [0, 1] on `canvas`, replacing what was there. */
export function drawProbabilities(canvas, labels, values) {
  plot(canvas, () => settings(labels, values));
}
