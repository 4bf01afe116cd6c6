// Talks to the server. Knows its addresses and problem documents; no page.

/** A request the server refused, with its problem document. */
export class Refusal extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** A problem `is_unsent` where nothing says that the server has it: the same may be sent again. */
const UNREACHABLE = {
  is_unsent: true,
  title: "The server does not answer",
  detail: "The connection failed before an answer came.",
  remedy: "Check that hilum is running, then try again.",
};
const MOST_TRIES = 8;
const JSON_TYPE = { "Content-Type": "application/json" };

async function request(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(UNREACHABLE);
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.code === "credentials-missing") location.assign("/sign-in");
  throw new Refusal(problem);
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { title: "The server refused", detail: `It answered with status ${response.status}.` };
  }
}

/** What `attempt()` resolves to, tried again for as long as the server says that it has too much to do. */
export async function patiently(attempt) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      const seconds = error.problem?.retry_after;
      if (!seconds || tries === MOST_TRIES) throw error;
      await new Promise((resolve) => { setTimeout(resolve, Math.min(seconds, 10) * 1000); });
    }
  }
}

/** An address with those of `query` that say something. */
export function address(path, query = {}) {
  const said = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const written = new URLSearchParams(said).toString();
  return written ? `${path}?${written}` : path;
}

export async function getJson(path, query = {}, options = {}) {
  const response = await request(address(path, query), { ...options, headers: { Accept: "application/json" } });
  return response.json();
}

/** Sends JSON; resolves to the answer's JSON, or null where it has none. */
export async function sendJson(method, path, body = undefined) {
  const said = body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) };
  const response = await request(path, { method, ...said });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** Sends a multipart form; resolves to the answer's JSON. */
export async function sendForm(path, form, signal = undefined) {
  const response = await request(path, { method: "POST", body: form, signal });
  return response.json();
}

const LOOK_ALIKES = 5;
let knowsLookAlikes = false;

/** How many look-alikes to ask for: none of a model that keeps no list of its training slices. */
async function wantedLookAlikes() {
  if (knowsLookAlikes) return LOOK_ALIKES;
  try {
    knowsLookAlikes = (await limits()).look_alikes >= LOOK_ALIKES;
  } catch {
    return 0;
  }
  return knowsLookAlikes ? LOOK_ALIKES : 0;
}

/** Sends one file; resolves to the answer or rejects with a Refusal. */
export async function classify(blob, name, signal) {
  const form = new FormData();
  form.append("file", blob, name);
  return sendForm(address("/predict", { similar: (await wantedLookAlikes()) || null }), form, signal);
}

/** Sends a zip of slices; resolves to a result or a problem for each. */
export async function classifyZip(blob, name, signal) {
  const form = new FormData();
  form.append("files", blob, name);
  return sendForm("/predict/batch", form, signal);
}

function studyForm(files) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return form;
}

/** Sends the slices of a series; resolves to what they say one by one and together. */
export const readStudy = (files, signal) => sendForm("/predict/study", studyForm(files), signal);

/** Sends them again for a DICOM structured report, which the server does not keep. */
export async function studyReport(files) {
  const response = await request("/predict/study", { method: "POST", body: studyForm(files), headers: { Accept: "application/dicom" } });
  return response.blob();
}

/** What a person can do about a problem, or an empty string. */
export async function remedyFor(problem) {
  if (problem.remedy || !problem.code) return problem.remedy ?? "";
  try {
    return (await getJson(`/problems/${encodeURIComponent(problem.code)}`)).remedy;
  } catch {
    return "";
  }
}

export const limits = () => getJson("/limits");
export const health = () => getJson("/health");
export const measuredPerformance = () => getJson("/metrics");

/** Classes of the served model, measured or not; none where the server cannot tell. */
export async function servedClasses() {
  try {
    const { model_version: version } = await health();
    const { manifest } = await getJson(`/models/${encodeURIComponent(version)}`);
    return manifest.class_names;
  } catch {
    return [];
  }
}

export const predictionAddress = (id, part = "") => `/predictions/${encodeURIComponent(id)}${part}`;
export const sliceAddress = (id, side) => address(predictionAddress(id, "/slice"), { side });
export const heatMapAddress = (id) => predictionAddress(id, "/explanation");
export const prediction = (id) => getJson(predictionAddress(id));

/** The heat map of a prediction, or a Refusal that says why there is none. */
export async function heatMap(id) {
  const response = await request(heatMapAddress(id));
  return response.blob();
}

/** A slice in Hounsfield units, as a NumPy file. */
export async function hounsfield(id) {
  const response = await request(predictionAddress(id, "/hounsfield.npy"));
  return response.arrayBuffer();
}

/** Keeps what a person says a slice shows. */
export const confirmClass = (id, name) => sendJson("POST", predictionAddress(id, "/feedback"), { confirmed_class: name });

/** The process's counters as Prometheus text. */
export async function serviceCounters() {
  const response = await request("/metrics", { headers: { Accept: "text/plain" } });
  return response.text();
}

export async function sample(number) {
  const response = await request(`/samples/${number}.png`);
  return response.blob();
}

/** Opens a session with an API key; rejects with a Refusal where it is not valid. */
export const signIn = (key) => sendJson("POST", "/sessions", { key });

export const signOut = () => sendJson("DELETE", "/sessions/current");
