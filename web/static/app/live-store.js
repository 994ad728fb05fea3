/**
 * What the page knows of each person, and what status that gives at this moment.
 * Pure state: no DOM, no map. Times are epoch seconds by the server's clock.
 */

export const SEVERITY = ["off_post", "no_signal", "stale", "travelling", "on_post", "off_duty"];
const SILENT = new Set(["stale", "no_signal"]);
const WHERE = ["lon", "lat", "accuracy_m", "fixed_at", "speed_mps", "course_deg", "presence", "distance_m", "source"];

export class LiveStore extends EventTarget {
  #skew = 0;

  constructor() {
    super();
    this.people = new Map();
    this.alerts = new Map();
    this.thresholds = { stale_s: 300, no_signal_s: 900 };
    this.rostered = null;
    this.covered = null;
    this.asOf = null;
  }

  /** Now by the server's clock, so that a wrong clock in the browser ages nobody. */
  now() {
    return Date.now() / 1000 + this.#skew;
  }

  /** Hear the server's time; `epoch` seconds. */
  tick(epoch) {
    this.#skew = epoch - Date.now() / 1000;
    this.asOf = epoch;
  }

  /** Replace everything with a snapshot (columns). */
  load(snapshot) {
    this.tick(epochOf(snapshot.as_of));
    this.thresholds = snapshot.thresholds;
    const columns = snapshot.people;
    this.people = new Map();
    for (let i = 0; i < columns.id.length; i += 1) {
      const person = {};
      for (const name of Object.keys(columns)) person[name] = columns[name][i];
      person.fixed_at = epochOf(person.fixed_at);
      person.since = epochOf(person.since);
      this.people.set(person.id, person);
    }
    this.alerts = new Map(snapshot.alerts.map((alert) => [alert.id, alert]));
    for (const alert of this.alerts.values()) {
      const person = this.people.get(alert.employee_id);
      if (person && alert.kind === "off_post") person.finding = alert.id;
    }
    for (const person of this.people.values()) {
      person.base = person.status;
      person.status = this.statusOf(person);
    }
    this.#emit("all");
  }

  /** Take over one event of the stream. */
  apply(type, data) {
    if (type === "alert") {
      this.#applyAlert(data);
      return;
    }
    const person = this.people.get(data.id);
    if (!person) {
      this.#emit("unknown", { id: data.id });
      return;
    }
    if (type === "pos") {
      if (person.base === "off_duty") {
        // Duty has begun, or this is late: a snapshot tells, an event alone places nobody.
        this.#emit("unknown", { id: data.id });
        return;
      }
      const fixedAt = epochOf(data.fixed_at);
      if (person.fixed_at && fixedAt < person.fixed_at) return; // late: the newer one stays
      for (const name of ["lon", "lat", "accuracy_m", "speed_mps", "course_deg", "battery_pct", "source"]) {
        if (name in data) person[name] = data[name];
      }
      person.fixed_at = fixedAt;
    } else if (type === "state") {
      person.base = data.status;
      person.finding = data.finding_id ?? null;
      person.presence = data.presence ?? person.presence;
      person.since = epochOf(data.since) ?? person.since;
      person.distance_m = data.distance_m ?? null;
      if (person.base === "off_duty") for (const name of WHERE) person[name] = null;
    }
    person.status = this.statusOf(person);
    this.#emit("person", { person });
  }

  #applyAlert(data) {
    const known = this.alerts.get(data.id);
    if (known && data.revision < known.revision) return;
    if (data.state === "open") this.alerts.set(data.id, { ...known, ...data });
    else this.alerts.delete(data.id);
    this.#emit("alerts", { fresh: data.state === "open" && !known ? data : null });
  }

  /** Somebody acknowledged: the alert leaves the list. */
  dismiss(id) {
    if (this.alerts.delete(id)) this.#emit("alerts", { fresh: null });
  }

  /**
   * Status at this moment, by the same order as the server: off duty, then silence, then what
   * the engine holds. Off post is said only where a finding says it.
   */
  statusOf(person) {
    if (person.base === "off_duty") return "off_duty";
    const age = person.fixed_at ? this.now() - person.fixed_at : Infinity;
    if (age > this.thresholds.no_signal_s) return "no_signal";
    if (age > this.thresholds.stale_s) return "stale";
    if (!SILENT.has(person.base)) return person.base;
    if (person.presence === "inside") return "on_post";
    return person.presence === "outside" && person.finding ? "off_post" : "travelling";
  }

  /** Let every status age; returns the people whose status changed. */
  decay() {
    const changed = [];
    for (const person of this.people.values()) {
      const status = this.statusOf(person);
      if (status !== person.status) {
        person.status = status;
        changed.push(person);
      }
    }
    if (changed.length) this.#emit("decayed", { changed });
    return changed;
  }

  counts() {
    const counts = Object.fromEntries(SEVERITY.map((status) => [status, 0]));
    for (const person of this.people.values()) counts[person.status] += 1;
    return counts;
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Epoch seconds of a number or an ISO instant; null stays null. */
export function epochOf(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "number" ? value : Date.parse(value) / 1000;
}
