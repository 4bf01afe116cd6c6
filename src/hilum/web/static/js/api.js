// Talks to the server. Knows its addresses and problem documents; no page.

/** A request the server refused, with its problem document. */
export class Refusal extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const UNREACHABLE = {
  title: "The server does not answer",
  detail: "The connection failed before an answer came.",
  remedy: "Check that hilum is running, then try again.",
};

async function request(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(UNREACHABLE);
  }
  if (response.ok) return response;
  throw new Refusal(await problemOf(response));
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { title: "The server refused", detail: `It answered with status ${response.status}.` };
  }
}

const LOOK_ALIKES = 5;
let knowsLookAlikes = false;

/** How many look-alikes to ask for: none of a model that keeps no list of its training slices. */
async function wantedLookAlikes() {
  if (knowsLookAlikes) return LOOK_ALIKES;
  try {
    const response = await request("/limits", { headers: { Accept: "application/json" } });
    knowsLookAlikes = (await response.json()).look_alikes >= LOOK_ALIKES;
  } catch {
    return 0;
  }
  return knowsLookAlikes ? LOOK_ALIKES : 0;
}

/** Sends one file; resolves to the answer or rejects with a Refusal. */
export async function classify(blob, name, signal) {
  const body = new FormData();
  body.append("file", blob, name);
  const similar = await wantedLookAlikes();
  const response = await request(similar ? `/predict?similar=${similar}` : "/predict", { method: "POST", body, signal });
  return response.json();
}

/** What a person can do about a problem, or an empty string. */
export async function remedyFor(problem) {
  if (problem.remedy || !problem.code) return problem.remedy ?? "";
  try {
    const response = await request(`/problems/${encodeURIComponent(problem.code)}`, { headers: { Accept: "application/json" } });
    return (await response.json()).remedy;
  } catch {
    return "";
  }
}

export async function measuredPerformance() {
  const response = await request("/metrics", { headers: { Accept: "application/json" } });
  return response.json();
}

export async function sample(number) {
  const response = await request(`/samples/${number}.png`);
  return response.blob();
}

export const sliceAddress = (id) => `/predictions/${encodeURIComponent(id)}/slice`;
export const heatMapAddress = (id) => `/predictions/${encodeURIComponent(id)}/explanation`;

/** Opens a session with an API key; rejects with a Refusal where it is not valid. */
export async function signIn(key) {
  const headers = { "Content-Type": "application/json" };
  await request("/sessions", { method: "POST", headers, body: JSON.stringify({ key }) });
}

export async function signOut() {
  await request("/sessions/current", { method: "DELETE" });
}
