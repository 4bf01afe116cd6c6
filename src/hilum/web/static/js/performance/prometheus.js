// Reads Prometheus text: samples, and quantiles of histograms. Knows no metric's name.

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Samples `{name, labels, value}` of an exposition. */
export function samplesOf(text) {
  return text.split("\n").filter((line) => line && !line.startsWith("#")).flatMap((line) => {
    const found = SAMPLE.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    return [{ name: found[1], labels, value: Number(found[3]) }];
  });
}

/** Sum of the samples of `name` for which `isWanted(labels)` holds. */
export function total(samples, name, isWanted = () => true) {
  return samples.filter((one) => one.name === name && isWanted(one.labels)).reduce((sum, { value }) => sum + value, 0);
}

/** A histogram `{count, mean, quantile(share)}`; a quantile is the upper end of its bucket, so at most that. */
export function histogram(samples, name, isWanted = () => true) {
  const count = total(samples, `${name}_count`, isWanted);
  const buckets = new Map();
  for (const { name: one, labels, value } of samples) {
    if (one !== `${name}_bucket` || !isWanted(labels)) continue;
    const end = labels.le === "+Inf" ? Infinity : Number(labels.le);
    buckets.set(end, (buckets.get(end) ?? 0) + value);
  }
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  return {
    count,
    mean: count ? total(samples, `${name}_sum`, isWanted) / count : null,
    quantile: (share) => (count ? sorted.find(([, below]) => below >= share * count)?.[0] ?? null : null),
  };
}
