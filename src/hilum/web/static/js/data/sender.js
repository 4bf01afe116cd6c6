// Sends labelled files a few at a time, so that a report grows while they go. Knows the upload's address, no page.
import { patiently, Refusal, sendForm } from "../api.js";
import { isZip } from "../files.js";

const AT_ONCE = 20;
const MOST_BYTES = 40_000_000;

/** Whether a file is a zip, or null where it cannot be read any more, which `refused` is told. */
async function isPacked(file, refused) {
  try {
    return await isZip(file);
  } catch (error) {
    refused([file], error.problem);
    return null;
  }
}

/** Splits files into requests: a zip goes alone, others by number and size. */
async function requestsOf(files, refused) {
  const requests = [];
  let some = [];
  let bytes = 0;
  for (const file of files) {
    const isPack = await isPacked(file, refused);
    if (isPack) requests.push([file]);
    if (isPack !== false) continue;
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

/**
 * Sends `files`, of which `said` `{label, group, new_classes}` is said. After each request `reported(files, report)` is
 * called, or `refused(files, problem)` where none of it was taken. Resolves to the files that were not sent, because
 * `signal` stopped it or the server did not answer.
 */
export async function send(files, said, { reported, refused, signal }) {
  const requests = await requestsOf(files, refused);
  for (const [at, some] of requests.entries()) {
    if (signal.aborted) return requests.slice(at).flat();
    try {
      reported(some, await patiently(() => sendForm("/upload-data", formOf(some, said), signal)));
    } catch (error) {
      if (signal.aborted || error.problem?.is_unsent) return requests.slice(at).flat();
      if (!(error instanceof Refusal)) console.error(error);
      refused(some, error.problem ?? { title: "It could not be sent", detail: "Something failed in this page." });
    }
  }
  return [];
}
