/** Playback of a day: one playhead of time moves the map, the strips, the chart and the list. */

import { Playhead, TrackModel } from "app/track-model";
import { TrackMap } from "app/track-map";
import { DayAxis, titleOf } from "app/track-axis";
import { el, fetchJson } from "app/dom";
import { clock, length, span, t } from "app/i18n";
import { toast } from "app/app";

const page = document.getElementById("player");
const find = (selector) => page.querySelector(selector);
const CAUSES = {
  silent: () => t("cause unknown"), battery: () => t("battery low"), off: () => t("tracking switched off"),
  offline: () => t("no connection"), coarse: () => t("positions too coarse"), no_position: () => t("phone had no position"),
  untrusted: () => t("positions not trusted"),
};
/** Shorter silences, as from the start of the shift to its first fix, are only on the strip. */
const WORTH_A_LINE_S = 60;
const CELLS = {
  plausible: () => t("cells agree"),
  strained: (beyond) => t("cells hardly allow it, %(length)s beyond their reach", { length: length(beyond) }),
  impossible: (beyond) => t("cells rule it out, %(length)s beyond their reach", { length: length(beyond) }),
};
const PRESENCE = { inside: () => t("at the post"), outside: () => t("away from the post"), unknown: () => t("presence unknown") };

/** How surely the positions lie on that side of the edge stands beside the state. */
function presenceOf({ state, probability }) {
  const said = PRESENCE[state]();
  if (probability === null) return said;
  return t("%(state)s, probability %(share)s", { state: said, share: `${Math.round(probability * 100)}%` });
}

let model;
let head;
let map;
let axis;
let shared = 0;

function interval({ low, high }) {
  const [a, b] = [length(low), length(high)];
  return a === b ? a : t("%(low)s to %(high)s", { low: a, high: b });
}

function describe(segment) {
  const lasted = span(segment.end - segment.start);
  if (segment.kind === "trip") return [interval(segment.distance_m), lasted].join(" · ");
  if (segment.kind === "gap") return [lasted, CAUSES[segment.cause]?.() ?? segment.cause].join(" · ");
  return segment.inferred_s > 60 ? t("%(span)s, of it %(silent)s without a fix", { span: lasted, silent: span(segment.inferred_s) }) : lasted;
}

function showList() {
  const { day } = model;
  find("[data-sum]").textContent = [
    day.distance_m ? interval(day.distance_m) : null,
    day.coverage === null || day.coverage === undefined ? null : t("%(share)s covered", { share: `${Math.round(day.coverage * 100)}%` }),
  ].filter(Boolean).join(" · ");
  const item = (kind, at, title, facts, attributes) => el("li", {}, el(attributes.href ? "a" : "button", {
    class: `part part--${kind}`, ...attributes,
  }, el("time", {}, clock(at, { zone: day.zone, seconds: false })), el("span", {}, el("strong", {}, title), el("span", {}, facts))));
  const worth = [...day.segments.entries()].filter(([, s]) => s.kind !== "gap" || s.end - s.start >= WORTH_A_LINE_S);
  const parts = worth.map(([i, segment]) => [segment.start, item(segment.kind, segment.start, titleOf(segment), describe(segment), {
    type: "button", dataset: { part: i },
    onclick: () => {
      seek(segment.start);
      if (segment.kind === "stop") map.lookAt(segment.lon, segment.lat);
    },
  })]);
  const alerts = page.dataset.alert ? day.findings.filter((f) => f.kind === "off_post") : [];
  parts.push(...alerts.map((f) => [f.start, item("finding", f.start, t("Off post"), span((f.end ?? model.end) - f.start), { href: `${page.dataset.alert}/${f.id}` })]));
  const worst = day.cells?.worst;
  if (worst) {
    parts.push([worst.at, item("finding", worst.at, worst.verdict === "impossible" ? t("Cells rule it out") : t("Cells hardly allow it"),
      [t("%(far)s from a cell heard up to %(reach)s", { far: length(worst.distance_m), reach: length(worst.radius_m) }),
        t("%(plausible)s agree, %(strained)s hardly allow it, %(impossible)s rule it out.", day.cells)].join(" · "),
      { type: "button", onclick: () => seek(worst.at) })]);
  }
  find("[data-segments]").replaceChildren(...parts.sort((x, y) => x[0] - y[0]).map(([, node]) => node));
}

let current = null;
function markCurrent() {
  const segment = model.segmentAt(head.t);
  if (segment === current) return;
  current = segment;
  for (const button of page.querySelectorAll("[data-part]")) {
    const on = model.day.segments[Number(button.dataset.part)] === segment;
    if (on) {
      button.setAttribute("aria-current", "true");
      const list = button.closest("ol");
      if (button.offsetTop < list.scrollTop || button.offsetTop + button.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = button.offsetTop - 40;
    } else button.removeAttribute("aria-current");
  }
}

let told = "";
function tellNow(where) {
  const facts = [];
  if (where.mode === "before") facts.push(t("No fix yet"));
  else if (where.mode === "held") {
    facts.push(t("Last fix %(span)s before", { span: span(where.since) }));
  } else {
    const speed = model.speed(Math.max(where.index, 0));
    if (speed !== null) facts.push(t("%(speed)s km/h", { speed: Math.round(speed) }));
  }
  if (where.mode !== "before") {
    facts.push(where.accuracy_m ? t("accuracy ±%(length)s", { length: length(where.accuracy_m) }) : t("accuracy unknown"));
    const cells = model.day.fixes.cells[where.index];
    if (cells) facts.push(CELLS[cells](model.day.fixes.beyond_cells_m[where.index]));
    const presence = model.presenceAt(head.t);
    if (presence) facts.push(presenceOf(presence));
  }
  const text = facts.join(" · ");
  if (text !== told) {
    told = text;
    find("[data-now]").textContent = text;
  }
}

function draw() {
  const where = model.at(head.t);
  map.place(where, { follow: find("[data-follow]").checked && (head.playing || sought), at: head.t, step: head.playing ? head.speed / 2 : 1 });
  sought = false;
  axis.show(head.t);
  find("[data-clock]").textContent = clock(head.t, { zone: model.day.zone });
  tellNow(where);
  markCurrent();
  page.dataset.t = head.t.toFixed(2);
  page.dataset.mode = where.mode;
  share();
}

/** The address names the exact second; at most once a second, so that playing is no flood. */
function share() {
  if (head.playing && performance.now() - shared < 1000) return;
  shared = performance.now();
  const url = new URL(location.href);
  url.searchParams.set("t", String(Math.round(head.t)));
  history.replaceState(null, "", url);
  for (const link of document.querySelectorAll("form [name='next']")) link.value = url.pathname + url.search;
}

let sought = false;
function seek(at) {
  if (at !== null) {
    head.seek(at);
    sought = true;
  }
  draw();
}

function setPlaying(on) {
  if (on) head.play();
  else head.pause();
  const button = find("[data-play]");
  button.setAttribute("aria-pressed", String(on));
  button.setAttribute("aria-label", on ? t("Pause") : t("Play"));
  button.querySelector("[data-when='paused']").hidden = on;
  button.querySelector("[data-when='playing']").hidden = !on;
  page.dataset.playing = on ? "1" : "0";
  if (on) requestAnimationFrame(frame);
  else draw();
}

function frame() {
  if (!head.playing) return;
  head.tick();
  draw();
  if (head.playing) requestAnimationFrame(frame);
  else setPlaying(false);
}

function step(direction) {
  const at = model.stopFrom(head.t, direction);
  seek(at ?? (direction > 0 ? model.end : model.start));
}

function listen() {
  find("[data-play]").addEventListener("click", () => setPlaying(!head.playing));
  for (const button of page.querySelectorAll("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
  for (const radio of page.querySelectorAll("[name='speed']")) {
    radio.addEventListener("change", () => { head.speed = Number(radio.value); });
    if (radio.checked) head.speed = Number(radio.value);
  }
  find("[data-skip]").addEventListener("change", (event) => { head.skip = event.target.checked; });
  head.skip = find("[data-skip]").checked;
  find("[data-raw]").addEventListener("click", (event) => {
    const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(on));
    map.showRaw(on);
  });
  find("[data-share]").addEventListener("click", async () => {
    shared = 0;
    share();
    try {
      await navigator.clipboard.writeText(location.href);
      toast(t("The link to this second was copied."));
    } catch {
      toast(t("The address bar holds the link to this second."));
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    // Space does nothing on a chosen speed, so there it plays; elsewhere controls keep their keys.
    const chosen = event.key === " " && event.target.matches("[name='speed']:checked");
    if (!chosen && event.target.closest("input, select, textarea, summary, .menu")) return;
    if (event.key === " " && !event.target.closest("button, a")) setPlaying(!head.playing);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const direction = event.key === "ArrowLeft" ? -1 : 1;
      if (event.shiftKey) step(direction);
      else seek(head.t + direction * 10);
    } else if (event.key === "Home" && event.target === find("[data-axis]")) seek(model.start);
    else if (event.key === "End" && event.target === find("[data-axis]")) seek(model.end);
    else return;
    event.preventDefault();
  });
}

async function start() {
  const day = await fetchJson(page.dataset.day);
  model = new TrackModel(day);
  find("[data-loading]").hidden = true;
  if (model.empty) {
    find("[data-empty]").hidden = false;
    page.dataset.state = "empty";
    document.documentElement.dataset.ready = "1";
    return;
  }
  head = new Playhead(model);
  map = new TrackMap(model);
  await map.open(find("[data-map]"));
  axis = new DayAxis(find("[data-axis]"), model, { onSeek: seek });
  listen();
  showList();
  page.dataset.state = "ready";
  map.fit();
  head.seek(page.dataset.at ? Number(page.dataset.at) : model.start);
  sought = Boolean(page.dataset.at);
  draw();
  map.map.once("idle", () => { document.documentElement.dataset.ready = "1"; });
  map.map.triggerRepaint();
}

try {
  await start();
} catch (error) {
  find("[data-loading]").hidden = true;
  find("[data-failed]").hidden = false;
  page.dataset.state = "failed";
  document.documentElement.dataset.ready = "1";
  if (!(error instanceof Error) || !("status" in error)) throw error;
}
