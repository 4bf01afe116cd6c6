// Reads NumPy's file format (NEP 1), as far as hilum writes it: two-dimensional little-endian int16 in C order.

const MAGIC = "\u0093NUMPY";

/** `{rows, columns, values}` of the file in `buffer`. */
export function readNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  const latin = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (latin(0, 6) !== MAGIC || bytes[6] !== 1) throw new Error("no NumPy file of version 1");
  const start = 10 + new DataView(buffer).getUint16(8, true);
  const header = latin(10, start);
  const shape = /'shape': \((\d+), (\d+)\)/.exec(header);
  if (!shape || !header.includes("'<i2'") || !header.includes("'fortran_order': False")) throw new Error("another array");
  const [rows, columns] = [Number(shape[1]), Number(shape[2])];
  return { rows, columns, values: new Int16Array(buffer.slice(start, start + 2 * rows * columns)) };
}
