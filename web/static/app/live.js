/** The live page: one store, shown as list, map and alerts, kept fresh by one stream. */

import { fetchJson } from "app/dom";
import { clock, length, locale, t, tn } from "app/i18n";
import { onKey, toast } from "app/app";
import { SEVERITY, LiveStore } from "app/live-store";
import { LiveStream } from "app/live-stream";
import { LiveList } from "app/live-list";
import { LiveMap } from "app/live-map";
import { AlertPanel } from "app/live-alerts";
import { drawRing } from "app/live-area";

const page = document.getElementById("live");
const words = {
  on_post: t("On post"), off_post: t("Off post"), travelling: t("Travelling"),
  stale: t("Stale"), no_signal: t("No signal"), off_duty: t("Off duty"),
};
const find = (selector) => page.querySelector(selector);
const all = (selector) => [...page.querySelectorAll(selector)];
const urls = page.dataset;
const fill = (template, id) => template.replace("00000000-0000-0000-0000-000000000000", encodeURIComponent(id));

const store = new LiveStore();
const stream = new LiveStream(urls.stream);
const links = {
  track: urls.track ? (id) => fill(urls.track, id) : null,
  person: urls.person ? (id) => fill(urls.person, id) : null,
  review: (id) => fill(urls.review, id),
};

// Filters and selection stand in the address; positions never do.
const query = new URLSearchParams(location.search);
const HIDDEN_AT_FIRST = new Set(["off_duty"]);
const view = {
  statuses: new Set(query.has("s") ? query.get("s").split(",").filter((s) => SEVERITY.includes(s)) : SEVERITY.filter((s) => !HIDDEN_AT_FIRST.has(s))),
  q: query.get("q") ?? "",
  selected: query.get("p"),
  follow: query.get("follow") === "1",
  area: null, // ids picked on the map
};

function remember() {
  const next = new URLSearchParams();
  const usual = SEVERITY.filter((s) => !HIDDEN_AT_FIRST.has(s));
  const chosen = SEVERITY.filter((s) => view.statuses.has(s));
  if (chosen.join() !== usual.join()) next.set("s", chosen.join(","));
  if (view.q) next.set("q", view.q);
  if (view.selected) next.set("p", view.selected);
  if (view.follow) next.set("follow", "1");
  const text = next.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

const number = new Intl.NumberFormat(locale);
const collator = new Intl.Collator(locale === "zh-CN" ? "zh-u-co-pinyin" : locale, { numeric: true });
const rank = Object.fromEntries(SEVERITY.map((status, i) => [status, i]));

function matches(person) {
  if (!view.statuses.has(person.status)) return false;
  if (view.area && !view.area.has(person.id)) return false;
  if (!view.q) return true;
  const text = `${person.name} ${person.unit ?? ""} ${person.post ?? ""}`.toLocaleLowerCase();
  return view.q.toLocaleLowerCase().split(/\s+/).every((word) => text.includes(word));
}

const list = new LiveList(find("[data-people]"), { now: () => store.now(), words, onSelect: select });
const map = new LiveMap({ words, onSelect: select });
// Nobody reviews an alert of their own.
const mayReview = (alert) => urls.mayReview === "1" && Boolean(urls.review) && alert.employee_id !== urls.own;
const alerts = new AlertPanel(find("[data-alerts]"), { store, links, mayReview, onSelect: select });

let many = null; // with more people than a browser holds: windows and pages of them

function render() {
  if (many) {
    many.render();
    showCounts();
    return;
  }
  const shown = [...store.people.values()].filter(matches)
    .sort((a, b) => rank[a.status] - rank[b.status] || collator.compare(a.name, b.name));
  list.show(shown);
  map.show(shown);
  showCounts(shown.length);
}

function showCounts(shown = many.total) {
  const counts = many ? many.counts : store.counts();
  for (const chip of all("[data-status]")) {
    chip.querySelector("[data-n]").textContent = number.format(counts[chip.dataset.status]);
    chip.setAttribute("aria-pressed", String(view.statuses.has(chip.dataset.status)));
  }
  find("[data-empty]").hidden = shown > 0;
  find("[data-shown]").textContent = tn("%(num)d person shown", "%(num)d people shown", shown);
  find("[data-area]").hidden = !view.area;
  figures(counts);
}

function figures(counts) {
  const onDuty = SEVERITY.filter((s) => s !== "off_duty").reduce((sum, s) => sum + counts[s], 0);
  const heard = onDuty - counts.no_signal - counts.stale;
  const rostered = store.rostered ?? onDuty;
  const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)}%` : "–");
  find("[data-rostered]").textContent = number.format(rostered);
  find("[data-rate]").textContent = percent(counts.on_post, rostered);
  find("[data-signal]").textContent = percent(heard, onDuty);
}

let pending = false;
function renderSoon() {
  if (pending) return;
  pending = true;
  // Thousands of people are drawn less often, so that the page stays quick to the hand.
  setTimeout(() => {
    pending = false;
    render();
  }, store.people.size > 2000 ? 1500 : 250);
}

async function select(id, { open = false, fly = true } = {}) {
  const person = many ? many.person(id) : store.people.get(id);
  if (!person) {
    toast(t("This person is not in your list now."), "warn");
    return;
  }
  if (open && links.person) {
    location.assign(links.person(id));
    return;
  }
  const again = view.selected === id;
  view.selected = id;
  list.select(id);
  map.select(person);
  card(person);
  remember();
  if (fly) map.flyTo(person, { zoom: 15.2 });
  if (!again || fly) {
    try {
      map.setTrail(id, await fetchJson(fill(urls.trail, id)));
    } catch {
      toast(t("The trail could not be loaded."), "warn");
    }
  }
}

function unselect() {
  view.selected = null;
  view.follow = false;
  list.select(null);
  map.select(null);
  card(null);
  remember();
}

const sources = { gps: t("Satellites"), wifi: t("Wi-Fi"), cell: t("Radio cells"), lbs: t("The carrier or a service") };

function card(person) {
  const box = find("[data-card]");
  box.hidden = !person;
  // For what may be done with the person in the card; see app/locate.
  const shown = person && { id: person.id, on_duty: person.status !== "off_duty" };
  document.dispatchEvent(new CustomEvent("outpost:person", { detail: shown }));
  for (const button of all("[data-follow]")) {
    button.disabled = !person;
    button.setAttribute("aria-pressed", String(Boolean(person && view.follow)));
  }
  if (!person) return;
  box.querySelector("[data-name]").textContent = person.name;
  const status = box.querySelector("[data-pill]");
  status.className = `pill pill--${person.status}`;
  status.replaceChildren(find(`[data-status="${person.status}"] svg`).cloneNode(true), words[person.status]);
  const facts = {
    post: person.post ?? t("none today"),
    fixed: person.fixed_at ? clock(person.fixed_at, { zone: urls.zone }) : t("no fix yet"),
    source: person.fixed_at ? sources[person.source] ?? t("unknown") : "–",
    accuracy: person.accuracy_m ? `±${length(person.accuracy_m)}` : t("unknown"),
    battery: person.battery_pct === null || person.battery_pct === undefined ? t("unknown") : `${person.battery_pct}%`,
  };
  for (const [name, text] of Object.entries(facts)) box.querySelector(`[data-fact="${name}"]`).textContent = text;
  for (const link of box.querySelectorAll("[data-link]")) {
    const make = links[link.dataset.link];
    link.hidden = !make;
    if (make) link.href = make(person.id);
  }
}

const pill = find("[data-connection]");
function connection() {
  const words_ = { live: t("Live"), waiting: t("Reconnecting…"), offline: t("Offline") };
  pill.dataset.state = stream.state;
  pill.querySelector("[data-word]").textContent = words_[stream.state];
  pill.querySelector("[data-clock]").textContent = store.asOf ? t("as of %(time)s", { time: clock(store.asOf, { zone: urls.zone }) }) : "";
}

async function snapshot(given = null) {
  const answer = given ?? await fetchJson(urls.snapshot);
  store.rostered = answer.rostered;
  store.covered = answer.covered;
  if (answer.many) {
    const { ManyPeople } = await import("app/live-many");
    many ??= new ManyPeople({ urls, store, stream, list, map, view, find, showCounts });
    await many.begin(answer);
    return;
  }
  store.load(answer);
  stream.start(answer.cursor);
}

async function refetch() {
  try {
    await snapshot();
  } catch (error) {
    if (error.status === 401) location.reload();
    else setTimeout(refetch, 5000);
  }
}

store.addEventListener("all", () => {
  render();
  if (view.selected) {
    // The old picture's person may stand where the new one has no place for them.
    const person = (many ? many.person(view.selected) : store.people.get(view.selected)) ?? null;
    map.select(person);
    card(person);
  }
  alerts.draw();
  connection();
});
store.addEventListener("person", ({ detail: { person } }) => {
  if (person.id === view.selected) {
    map.select(person);
    map.extendTrail(person);
    card(person);
    if (view.follow) map.flyTo(person);
  }
  renderSoon();
});
store.addEventListener("decayed", renderSoon);
store.addEventListener("alerts", ({ detail: { fresh } }) => {
  alerts.draw();
  if (!fresh) return;
  const name = store.people.get(fresh.employee_id)?.name ?? "";
  find("[data-spoken-alert]").textContent = t("%(name)s is off post", { name });
});
let unknown = null;
store.addEventListener("unknown", () => {
  if (many) {
    many.stranger();
    return;
  }
  // Somebody came on duty after the snapshot: fetch a new one, at most every 10 s.
  unknown ??= setTimeout(() => {
    unknown = null;
    refetch();
  }, 10000);
});
stream.addEventListener("change", ({ detail }) => store.apply(detail.type, detail.data));
stream.addEventListener("tick", ({ detail }) => {
  store.tick(detail.as_of);
  connection();
});
stream.addEventListener("state", connection);
stream.addEventListener("reset", refetch);
stream.addEventListener("again", () => stream.resume());
stream.addEventListener("crowded", () => toast(t("Too many live maps are open. This one pauses until you return to it."), "warn"));
stream.addEventListener("closed", () => location.reload());

setInterval(() => {
  store.decay();
  list.refresh();
  alerts.draw();
  connection();
}, 10000);

for (const chip of all("[data-status]")) {
  chip.addEventListener("click", (event) => {
    const status = chip.dataset.status;
    if (event.shiftKey || event.altKey) view.statuses = new Set([status]);
    else if (!view.statuses.delete(status)) view.statuses.add(status);
    remember();
    render();
  });
}
find("[data-all]").addEventListener("click", () => {
  view.statuses = new Set(SEVERITY);
  view.q = "";
  view.area = null;
  if (search) search.value = "";
  remember();
  render();
});

const search = document.querySelector(".topbar [data-search-key]");
if (search) {
  search.value = view.q;
  search.addEventListener("input", () => {
    view.q = search.value.trim();
    remember();
    render();
  });
  search.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = list.first();
    if (first) {
      find("[data-people]").focus();
      select(first);
    }
  });
}

function follow() {
  if (!view.selected) return;
  view.follow = !view.follow;
  const person = many ? many.person(view.selected) : store.people.get(view.selected);
  card(person);
  remember();
  if (view.follow) map.flyTo(person, { zoom: 16 });
}
for (const button of all("[data-follow]")) button.addEventListener("click", follow);
onKey("f", follow);
onKey("F", follow);
onKey("Escape", unselect);
find("[data-close-card]").addEventListener("click", unselect);
find("[data-fit]").addEventListener("click", () => many ? many.fit() : map.fit([...store.people.values()].filter(matches)));
for (const box of all("[data-layer]")) {
  box.addEventListener("change", () => map.set(box.dataset.layer, box.checked));
}
find("[data-trail-switch]").addEventListener("click", (event) => {
  const on = !map.visible.trail;
  map.set("trail", on);
  event.currentTarget.setAttribute("aria-pressed", String(on));
});
find("[data-lasso]").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-pressed", "true");
  const ring = await drawRing(map.map, find("[data-map-host]"));
  button.setAttribute("aria-pressed", "false");
  if (!ring) return;
  view.area = new Set(map.inside(ring).map((person) => person.id));
  render();
});
find("[data-area-clear]").addEventListener("click", () => {
  view.area = null;
  render();
});

// An answer that came another way than by the stream is shown at once; a newer fix stays.
document.addEventListener("outpost:located", ({ detail: { id, answer } }) => {
  if (store.people.has(id)) store.apply("pos", { id, ...answer });
  if (view.selected === id) map.flyTo(store.people.get(id), { zoom: 16 });
});

// Events alone do not keep a session open; somebody who works with the map does.
const STAY_MS = 5 * 60 * 1000;
let stayedAt = Date.now();
for (const sign of ["pointermove", "keydown"]) {
  addEventListener(sign, () => {
    if (Date.now() - stayedAt < STAY_MS) return;
    stayedAt = Date.now();
    fetchJson(urls.posts).catch((error) => {
      if (error.status === 401) location.reload();
    });
  }, { passive: true });
}

async function start() {
  const posts = await fetchJson(urls.posts).catch(() => ({ type: "FeatureCollection", features: [] }));
  const drawn = map.open(find("[data-map]"), posts).catch(() => {
    // No WebGL: list, alerts and connection work all the same.
    find("[data-no-map]").hidden = false;
    for (const part of all("[data-tools]")) part.hidden = true;
  });
  // Windows of very many people need the map's; everybody else is fetched beside it.
  const first = fetchJson(urls.snapshot);
  first.catch(() => {}); // it is awaited below, where it is told
  await drawn;
  await snapshot(await first);
  render();
  if (!many) map.fit([...store.people.values()].filter(matches), { animate: false });
  if (view.selected && store.people.has(view.selected)) select(view.selected);
  const ready = () => document.documentElement.setAttribute("data-ready", "");
  if (map.map) map.map.once("idle", ready);
  else ready();
}

start().catch((error) => {
  if (error.status === 401) location.reload();
  const box = find("[data-failed]");
  box.hidden = false;
  box.querySelector("[data-why]").textContent = error.message;
});
