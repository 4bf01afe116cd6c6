// Writes tables as CSV that a spreadsheet reads and does not compute (RFC 4180).

const FORMULA = /^[=+\-@\t\r\n]/;

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const inert = typeof value === "string" && FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

/** Hands the person a file of these rows. */
export function downloadCsv(name, rows) {
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text, "\r\n"], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
