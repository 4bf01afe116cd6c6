// The slices given to the page, and the work on them: a few at once, in order. Knows no page.
import { classify, classifyZip, patiently, prediction, Refusal } from "../api.js";
import { isDicom, isZip } from "../files.js";

const AT_ONCE = 3;

/**
 * A queue of items `{key, name, file, state, answer, problem, isSynthetic, isDicom, answeredAt, confirmed}`;
 * `state` is `waiting`, `busy`, `answered` or `refused`. `changed(item)` is called for each change of one,
 * `added(items)` for new ones.
 */
export class Queue {
  constructor({ added, changed }) {
    this.items = [];
    this.added = added;
    this.changed = changed;
    this.workers = 0;
    this.line = [];
    this.stopping = new AbortController();
  }

  add(files, { isSynthetic = false } = {}) {
    const items = files.map((file) => this.#item(file.name || "pasted.png", { file, isSynthetic }));
    this.#append(items);
    return items;
  }

  /** Adds a prediction of the history, which has its answer already. */
  async addStored(id) {
    const stored = await prediction(id);
    const item = this.#item(`prediction ${stored.id.slice(0, 8)}`, {
      state: "answered",
      answer: { ...stored.answer, stored: true },
      answeredAt: stored.created_at,
      confirmed: stored.confirmed_class,
      isDicom: true,
    });
    this.#append([item]);
    return item;
  }

  get counts() {
    const counts = { waiting: 0, busy: 0, answered: 0, refused: 0 };
    for (const { state } of this.items) counts[state] += 1;
    return counts;
  }

  /** Lets go of what waits. */
  stop() {
    this.stopping.abort();
    this.stopping = new AbortController();
    for (const item of this.items.filter(({ state }) => state === "waiting" || state === "busy")) {
      this.#refuse(item, { title: "Stopped", detail: "It was not sent, or its answer not awaited.", is_unsent: true });
    }
  }

  /** What was not sent, since it was stopped or the server did not answer. */
  get unsent() {
    return this.items.filter(({ state, problem }) => state === "refused" && problem.is_unsent);
  }

  /** Sends what was not sent. */
  again() {
    const items = this.unsent;
    for (const item of items) this.#change(item, { state: "waiting", problem: null });
    this.#enqueue(items);
  }

  #item(name, more) {
    return { key: crypto.randomUUID?.() ?? String(Math.random()), name, state: "waiting", isSynthetic: false, isDicom: false, ...more };
  }

  #append(items) {
    this.items.push(...items);
    this.added(items);
    this.#enqueue(items);
  }

  #enqueue(items) {
    this.line.push(...items);
    const hands = Math.min(AT_ONCE - this.workers, this.line.length);
    for (let hand = 0; hand < hands; hand += 1) this.#work();
  }

  async #work() {
    this.workers += 1;
    while (this.line.length) {
      const item = this.line.shift();
      if (item.state === "waiting") await this.#answer(item);
    }
    this.workers -= 1;
  }

  async #answer(item) {
    const { signal } = this.stopping;
    this.#change(item, { state: "busy" });
    try {
      if (await isZip(item.file)) {
        this.#unfold(item, await patiently(() => classifyZip(item.file, item.name, signal)));
        return;
      }
      const answer = await patiently(() => classify(item.file, item.name, signal));
      if (signal.aborted) return;
      this.#change(item, { state: "answered", answer, answeredAt: new Date().toISOString(), isDicom: await isDicom(item.file) });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) console.error(error);
      this.#refuse(item, error.problem ?? { title: "The answer could not be shown", detail: "Something failed in this page." });
    }
  }

  /** A zip stands for its files. */
  #unfold(zip, { items }) {
    const found = items.map(({ index, result, problem }) => this.#item(`${zip.name} · ${index + 1}`, {
      state: result ? "answered" : "refused",
      answer: result,
      problem,
      answeredAt: new Date().toISOString(),
    }));
    this.#change(zip, { state: "answered", unfolded: found });
    this.#append(found);
  }

  #refuse(item, problem) {
    this.#change(item, { state: "refused", problem });
  }

  #change(item, what) {
    Object.assign(item, what);
    this.changed(item);
  }
}
