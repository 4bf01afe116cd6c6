// Sends labelled files a few at a time, so that a report grows while they go. Knows the upload's address, no page.
import { Refusal, sendForm } from "../api.js";
import { isZip } from "../files.js";

const AT_ONCE = 20;
const MOST_BYTES = 40_000_000;
const MOST_TRIES = 8;
const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

/** Splits files into requests: a zip goes alone, others by number and size. */
async function requestsOf(files) {
  const requests = [];
  let some = [];
  let bytes = 0;
  for (const file of files) {
    if (await isZip(file)) {
      requests.push([file]);
      continue;
    }
    if (some.length === AT_ONCE || (some.length && bytes + file.size > MOST_BYTES)) {
      requests.push(some);
      [some, bytes] = [[], 0];
    }
    some.push(file);
    bytes += file.size;
  }
  return some.length ? [...requests, some] : requests;
}

function formOf(files, said) {
  const form = new FormData();
  for (const [name, value] of Object.entries(said)) if (value) form.append(name, value);
  for (const file of files) form.append("files", file, file.name);
  return form;
}

async function patiently(attempt) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const seconds = error.problem?.retry_after;
      if (!seconds || tries === MOST_TRIES) throw error;
      await pause(Math.min(seconds, 10));
    }
  }
}

/**
 * Sends `files`, of which `said` `{label, group, new_classes}` is said. After each request `reported(files, report)` is
 * called, or `refused(files, problem)` where none of it was taken.
 */
export async function send(files, said, { reported, refused, signal }) {
  for (const some of await requestsOf(files)) {
    if (signal.aborted) return;
    try {
      reported(some, await patiently(() => sendForm("/upload-data", formOf(some, said), signal)));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) console.error(error);
      refused(some, error.problem ?? { title: "It could not be sent", detail: "Something failed in this page." });
    }
  }
}
