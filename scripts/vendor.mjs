// Copies the browser files of our npm dependencies, with their licences, to where the server serves them.
import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, "src", "hilum", "web", "static", "vendor");

const files = {
  "chart.js/dist/chart.umd.min.js": "chart.umd.min.js",
  "chart.js/LICENSE.md": "chart.LICENSE.md",
  "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
  "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui-bundle.js",
  "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE",
  "swagger-ui-dist/NOTICE": "swagger-ui.NOTICE",
};

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
for (const [from, to] of Object.entries(files)) {
  await copyFile(join(root, "node_modules", from), join(target, to));
}
