// Tables of figures `{value, low, high, n}` with their intervals. Knows no metric.

/** A figure as text, its interval beneath. */
export function figureCell({ value, low, high }, written) {
  const cell = document.createElement("td");
  cell.textContent = typeof value === "number" ? written(value) : "undefined";
  if (typeof low === "number" && typeof high === "number") {
    const interval = document.createElement("span");
    interval.className = "interval";
    interval.textContent = `${written(low)} to ${written(high)}`;
    cell.append(interval);
  }
  return cell;
}

export function textCell(text) {
  const cell = document.createElement("td");
  cell.textContent = text;
  return cell;
}

/** A row with its heading, a note beneath it, and its cells. */
export function row(name, cells, { note = "", isWorst = false } = {}) {
  const line = document.createElement("tr");
  const heading = document.createElement("th");
  heading.scope = "row";
  heading.textContent = name;
  if (note) {
    const small = document.createElement("span");
    small.className = "row-note";
    small.textContent = note;
    heading.append(small);
  }
  line.classList.toggle("is-worst", isWorst);
  line.append(heading, ...cells);
  return line;
}
