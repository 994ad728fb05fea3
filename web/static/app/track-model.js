/**
 * Where somebody was at a second of the day, by time and not by number of the point.
 * Pure: no DOM, no map. Times are epoch seconds.
 */

const EARTH_M = 6371008.8;
const R = Math.PI / 180;

/** Index of the last value that is ≤ x; -1 when there is none. `values` ascend. */
export function lastBefore(values, x) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function metres(a, b) {
  const h = Math.sin(((b.lat - a.lat) * R) / 2) ** 2
    + Math.cos(a.lat * R) * Math.cos(b.lat * R) * Math.sin(((b.lon - a.lon) * R) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

function bearing(a, b) {
  const y = Math.sin((b.lon - a.lon) * R) * Math.cos(b.lat * R);
  const x = Math.cos(a.lat * R) * Math.sin(b.lat * R) - Math.sin(a.lat * R) * Math.cos(b.lat * R) * Math.cos((b.lon - a.lon) * R);
  return (Math.atan2(y, x) / R + 360) % 360;
}

export class TrackModel {
  constructor(day) {
    this.day = day;
    this.start = day.start;
    this.end = day.end;
    this.times = day.fixes.at;
    this.interval = typical(this.times);
    this.gaps = day.segments.filter((s) => s.kind === "gap");
    this.stops = day.segments.filter((s) => s.kind === "stop");
  }

  get empty() {
    return !this.times.length;
  }

  point(i) {
    const { lon, lat, accuracy_m: accuracy } = this.day.fixes;
    return { lon: lon[i], lat: lat[i], accuracy_m: accuracy[i] };
  }

  /** True when a line between fixes i and i + 1 would be invented. */
  broken(i) {
    const [a, b] = [this.times[i], this.times[i + 1]];
    return this.gaps.some((gap) => gap.start < b && gap.end > a && gap.end - gap.start > 1);
  }

  /** km/h at fix i: what the phone said, else from its neighbours; null when unknown. */
  speed(i) {
    const said = this.day.fixes.speed_mps[i];
    if (said !== null) return said * 3.6;
    if (i === 0 || this.broken(i - 1)) return null;
    const seconds = this.times[i] - this.times[i - 1];
    return seconds > 0 ? (metres(this.point(i - 1), this.point(i)) / seconds) * 3.6 : null;
  }

  /**
   * Position at an instant. mode: "before" the first fix, "fix" (at or close after one),
   * "between" two fixes close enough to interpolate, "held" at the last fix when they are not.
   */
  at(t) {
    const i = lastBefore(this.times, t);
    if (i < 0) return { mode: "before", index: -1 };
    const here = this.point(i);
    const next = this.times[i + 1];
    const since = t - this.times[i];
    const course = next !== undefined && !this.broken(i) && metres(here, this.point(i + 1)) > 2 ? bearing(here, this.point(i + 1)) : null;
    if (since < 0.5) return { mode: "fix", index: i, ...here, course, since: 0 };
    if (next === undefined || next - this.times[i] >= 2 * this.interval || this.broken(i)) {
      return { mode: since <= this.interval ? "fix" : "held", index: i, ...here, course: null, since };
    }
    const there = this.point(i + 1);
    const part = since / (next - this.times[i]);
    return {
      mode: "between", index: i, since, course,
      lon: here.lon + (there.lon - here.lon) * part,
      lat: here.lat + (there.lat - here.lat) * part,
      accuracy_m: Math.max(here.accuracy_m ?? 0, there.accuracy_m ?? 0) || null,
    };
  }

  segmentAt(t) {
    return this.day.segments.find((s) => s.start <= t && t < s.end) ?? null;
  }

  presenceAt(t) {
    return this.day.presence.find((p) => p.start <= t && t < p.end) ?? null;
  }

  /** Start of the next or previous stop as seen from t; null when there is none. */
  stopFrom(t, direction) {
    const starts = this.stops.map((s) => s.start);
    if (direction > 0) return starts.find((s) => s > t + 1) ?? null;
    return starts.filter((s) => s < t - 2).at(-1) ?? null;
  }
}

/** Median of the steps between fixes, between 5 s and 5 min; 30 s when there are too few. */
export function typical(times) {
  const steps = [];
  for (let i = 1; i < times.length; i += 1) if (times[i] > times[i - 1]) steps.push(times[i] - times[i - 1]);
  if (!steps.length) return 30;
  steps.sort((a, b) => a - b);
  return Math.min(Math.max(steps[steps.length >> 1], 5), 300);
}

/** The playhead: time that moves by itself. `now` tells seconds of a monotonic clock. */
export class Playhead {
  constructor(model, { now = () => performance.now() / 1000 } = {}) {
    this.model = model;
    this.now = now;
    this.t = model.start;
    this.speed = 60;
    this.playing = false;
    this.skip = true;
    this.last = 0;
  }

  play() {
    if (this.t >= this.model.end) this.t = this.model.start;
    this.playing = true;
    this.last = this.now();
  }

  pause() {
    this.playing = false;
  }

  seek(t) {
    this.t = Math.min(Math.max(t, this.model.start), this.model.end);
  }

  /** Move by the time that has passed; returns whether anything moved. */
  tick() {
    if (!this.playing) return false;
    const now = this.now();
    // A hidden page gets no frames: do not leap over what nobody saw.
    const passed = Math.min(now - this.last, 0.5);
    this.last = now;
    let next = this.t + passed * this.speed;
    if (this.skip) {
      for (let segment = this.model.segmentAt(next); segment && segment.kind !== "trip" && segment.end < this.model.end; segment = this.model.segmentAt(next)) {
        next = segment.end;
      }
    }
    this.seek(next);
    if (this.t >= this.model.end) this.pause();
    return true;
  }
}
