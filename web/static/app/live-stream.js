/**
 * The line to the server: resumes exactly where it stopped, asks for a new picture when it
 * cannot, and says truthfully in which state it is (live, waiting, offline).
 */

const SILENCE_MS = 40000; // the server speaks every 15 s
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30000;

export class LiveStream extends EventTarget {
  #source = null;
  #cursor = null;
  #retry = null;
  #wait = FIRST_RETRY_MS;
  #heard = 0;
  #watch = null;

  constructor(url) {
    super();
    this.url = url;
    this.state = "waiting";
    this.sight = null;
    addEventListener("online", () => this.#reopen());
    addEventListener("offline", () => this.#say("offline"));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.state !== "live") this.#reopen();
    });
  }

  /** Begin after a stream id, the cursor of a snapshot; `sight` is a window, "none", or all. */
  start(cursor, sight = null) {
    this.#cursor = cursor;
    this.sight = sight;
    this.#open();
    this.#watch ??= setInterval(() => {
      if (this.#source && performance.now() - this.#heard > SILENCE_MS) this.#lost();
    }, 5000);
  }

  stop() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    this.stop();
    const url = new URL(this.url, location.href);
    if (this.#cursor) url.searchParams.set("from", this.#cursor);
    if (this.sight) url.searchParams.set("view", this.sight);
    const source = new EventSource(url);
    this.#source = source;
    source.onopen = () => {
      this.#wait = FIRST_RETRY_MS;
      this.#hear();
    };
    for (const type of ["pos", "state", "alert"]) {
      source.addEventListener(type, (event) => {
        this.#hear();
        this.#cursor = event.lastEventId || this.#cursor;
        this.#emit("change", { type, data: JSON.parse(event.data) });
      });
    }
    source.addEventListener("ping", (event) => {
      this.#hear();
      this.#cursor = event.lastEventId || this.#cursor;
      const said = JSON.parse(event.data);
      // Without a time the server itself has no fresh picture: the line is up, the feed is not.
      this.#say(said.as_of === null ? "waiting" : "live");
      if (said.as_of !== null) this.#emit("tick", said);
    });
    source.addEventListener("reset", () => {
      this.stop();
      this.#emit("reset");
    });
    source.addEventListener("closed", () => {
      this.stop();
      this.#say("offline");
      this.#emit("closed");
    });
    source.addEventListener("crowded", () => {
      // Other tabs of this account took the places; this one returns when it is looked at.
      this.stop();
      this.#say("offline");
      this.#emit("crowded");
    });
    source.onerror = () => this.#lost();
  }

  #lost() {
    this.stop();
    this.#say(navigator.onLine ? "waiting" : "offline");
    // Jitter, so that a thousand maps do not return in the same second.
    this.#retry = setTimeout(() => this.#emit("again"), this.#wait * (0.5 + Math.random()));
    this.#wait = Math.min(this.#wait * 2, LAST_RETRY_MS);
    if (this.#wait >= 8000) this.#say("offline");
  }

  /** Try the line again where it stopped. */
  resume() {
    this.#open();
  }

  #reopen() {
    this.#wait = FIRST_RETRY_MS;
    this.#open();
  }

  #hear() {
    this.#heard = performance.now();
  }

  #say(state) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", { state });
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
