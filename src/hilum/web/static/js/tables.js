// On narrow screens a row of a table stands as a block, each cell under its column's name. Knows tables, no page.

const cellsOf = (row) => [...row.children];

/** Gives the cells of `table` their columns' names, short ones where there are, for the style sheet to show. */
export function labelCells(table) {
  const head = table.tHead?.rows[0];
  if (!head) return table;
  const names = cellsOf(head).map((one) => one.dataset.short ?? one.textContent.trim());
  for (const row of table.tBodies[0]?.rows ?? []) {
    cellsOf(row).forEach((cell, at) => { if (cell.tagName === "TD" && names[at]) cell.dataset.label = names[at]; });
  }
  return table;
}

for (const table of document.querySelectorAll("table.table-stack")) {
  new MutationObserver(() => labelCells(table)).observe(table, { childList: true, subtree: true });
}
