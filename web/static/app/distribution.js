/** The distribution page: one question (instant, units, measure), shown as list and map. */

import { el, fetchJson, csrf } from "app/dom";
import { t, tn } from "app/i18n";
import { onKey, toast } from "app/app";
import { DistributionMap } from "app/distribution-map";
import { STATUSES, change, facts, legend, line, number, rowsOf, signed } from "app/distribution-rows";
import { clockOf, epochIn, epochOf, iso, localOf } from "app/distribution-time";

const STEP = 5; // minutes a picture of the player
const PACE_MS = 700;
const AGAIN_MS = 30000;
const MOST_ROWS = 500;

const page = document.getElementById("distribution");
const find = (selector) => page.querySelector(selector);
const { zone, today } = page.dataset;

// What is asked stands in the address; places and drawn areas never do.
const query = new URLSearchParams(location.search);
const ask = {
  at: epochIn(query.get("at")), versus: epochIn(query.get("vs")), unit: query.get("unit") ?? "",
  measure: STATUSES.includes(query.get("m")) ? query.get("m") : "people", company: query.get("reach") === "company",
};
const view = { tab: "units", cell: null, areas: [], tallies: null, versusTallies: null };
let answer = null;
let other = null; // the answer that is compared with
let running = null;
let playing = null;

const map = new DistributionMap({ onCell: selectCell, onMove: moved, onArea: addArea });

function remember() {
  const next = new URLSearchParams();
  if (ask.at !== null) next.set("at", iso(ask.at));
  if (ask.versus !== null) next.set("vs", iso(ask.versus));
  if (ask.unit) next.set("unit", ask.unit);
  if (ask.measure !== "people") next.set("m", ask.measure);
  if (ask.company) next.set("reach", "company");
  const text = next.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

function parameters(at, { resolution, box }) {
  const values = new URLSearchParams();
  if (at !== null) values.set("at", iso(at));
  if (ask.unit) values.set("unit", ask.unit);
  if (resolution) values.set("res", String(resolution));
  if (box) values.set("box", box);
  return values;
}

/** Fetch what is asked; a newer question makes an older answer void. */
async function load({ fit = false } = {}) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const sight = fit || !map.map ? {} : { resolution: map.resolution(), box: map.box() };
  const options = { signal: mine.signal };
  try {
    const values = parameters(ask.at, sight);
    if (ask.company) values.set("reach", "company");
    const found = await fetchJson(`${page.dataset.counts}?${values}`, options);
    const same = { resolution: found.resolution, box: sight.box };
    const versus = ask.versus === null ? null : await fetchJson(`${page.dataset.counts}?${parameters(ask.versus, same)}`, options);
    if (versus && versus.resolution !== found.resolution) {
      // Too many hexagons there: both in the larger size.
      const larger = parameters(ask.at, { ...same, resolution: versus.resolution });
      answer = await fetchJson(`${page.dataset.counts}?${larger}`, options);
    } else answer = found;
    other = versus;
    await count(options);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) location.reload();
    pause();
    find("[data-failed]").hidden = false;
    find("[data-why]").textContent = error.problem?.code === "past_retention" ? t("Positions of that day are no longer kept.") : error.message;
    return;
  }
  if (running === mine) running = null;
  find("[data-failed]").hidden = true;
  draw();
  if (fit) map.fit(rowsOf(answer.cells));
}

/** Count the people in the drawn areas, at both instants. */
async function count(options = {}) {
  if (!view.areas.length) {
    view.tallies = view.versusTallies = null;
    return;
  }
  const post = (at) => fetchJson(page.dataset.areas, {
    method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
    body: JSON.stringify({ areas: view.areas, unit: ask.unit || null, at: at === null ? null : iso(at) }), ...options,
  });
  view.tallies = (await post(ask.at)).areas;
  view.versusTallies = ask.versus === null ? null : (await post(ask.versus)).areas;
}

/** Rows of both answers by id; what one of them lacks counts nobody there. */
function paired(name) {
  const rows = new Map(rowsOf(answer[name]).map((row) => [row.id, row]));
  const before = new Map((other ? rowsOf(other[name]) : []).map((row) => [row.id, row]));
  for (const [id, row] of before) {
    if (!rows.has(id)) rows.set(id, { ...row, people: 0, ...Object.fromEntries(STATUSES.map((s) => [s, 0])) });
  }
  return [...rows.values()].map((row) => ({ ...row, was: other ? before.get(row.id)?.[ask.measure] ?? 0 : null, is: row[ask.measure] }));
}

function draw() {
  const cells = paired("cells").filter((row) => row.is || row.was);
  const most = Math.max(1, ...cells.map((row) => Math.abs(change(row))));
  const others = ask.company && answer.others ? rowsOf(answer.others.cells).map((row) => ({ ...row, text: `≥ ${number.format(row.people)}` })) : [];
  map.show(cells.map((row) => ({ ...row, value: change(row), text: row.was === null ? number.format(row.is) : signed(change(row)) })), {
    most, versus: Boolean(other), others,
  });
  if (view.cell && !cells.some((row) => row.id === view.cell)) view.cell = null;
  map.select(view.cell);
  legend(find("[data-legend]"), { most, measure: ask.measure, versus: Boolean(other) });
  for (const place of page.querySelectorAll("[data-n]")) {
    const name = place.dataset.n;
    place.textContent = number.format(name === "people" ? answer.people : answer.statuses[name]);
  }
  find("[data-sum]").textContent = [
    tn("%(num)d person on duty", "%(num)d people on duty", answer.people, { num: number.format(answer.people) }),
    answer.placed < answer.people && !map.box() ? t("%(count)s without a known place", { count: number.format(answer.people - answer.placed) }) : null,
    answer.provisional && !answer.is_now ? t("the last minutes are provisional") : null,
  ].filter(Boolean).join(" · ");
  find("[data-note]").textContent = ask.company && answer.others
    ? t("Outside your units: %(people)s or more people, in multiples of five, at %(time)s. Fewer than five are never shown.", {
      people: number.format(answer.others.people), time: clockOf(localOf(answer.others.at, zone).minute),
    }) : "";
  list(cells);
  clockFace();
  exports();
  document.documentElement.setAttribute("data-ready", "");
  page.dataset.shown = String(answer.at);
}

function list(cells) {
  const box = find("[data-list]");
  const rows = [];
  if (view.tab === "units") {
    const units = paired("units").filter((row) => row.is || row.was);
    for (const row of units.slice(0, MOST_ROWS)) {
      const node = line(row.name, row, { onclick: () => chooseUnit(row.id), "aria-pressed": String(ask.unit === row.id) });
      node.style.setProperty("--depth", row.depth);
      rows.push(node);
    }
  } else if (view.tab === "cells") {
    const ordered = cells.toSorted((a, b) => Math.abs(change(b)) - Math.abs(change(a)) || (a.id < b.id ? -1 : 1));
    for (const [i, row] of ordered.slice(0, MOST_ROWS).entries()) {
      rows.push(line(t("Hexagon %(number)s", { number: i + 1 }), row, {
        onclick: () => selectCell(row.id), "aria-pressed": String(view.cell === row.id), dataset: { cell: row.id },
      }));
    }
  } else if (view.tallies) {
    view.areas.forEach((_, i) => {
      const row = Object.fromEntries(Object.entries(view.tallies).map(([name, column]) => [name, column[i]]));
      row.is = row[ask.measure];
      row.was = view.versusTallies ? view.versusTallies[ask.measure][i] : null;
      rows.push(el("div", { class: "dist__with" }, line(t("Area %(number)s", { number: i + 1 }), row),
        el("button", { type: "button", class: "icon-btn", "aria-label": t("Remove area %(number)s", { number: i + 1 }), onclick: () => removeArea(i) }, "×")));
    });
  }
  const focused = document.activeElement?.closest?.("[data-list]") ? [...box.querySelectorAll("button")].indexOf(document.activeElement) : -1;
  box.replaceChildren(...rows.map((row) => el("li", {}, row)));
  if (focused >= 0) box.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
  box.hidden = !rows.length;
  find("[data-loading]").hidden = true;
  find("[data-no-areas]").hidden = view.tab !== "areas" || view.areas.length > 0;
  find("[data-empty]").hidden = view.tab === "areas" || rows.length > 0;
}

function selectCell(id) {
  view.cell = view.cell === id ? null : id;
  const row = answer && rowsOf(answer.cells).find((each) => each.id === view.cell);
  map.select(view.cell, row?.centre);
  find("[data-detail]").hidden = !row;
  if (row) find("[data-detail]").textContent = [tn("%(num)d person here", "%(num)d people here", row.people, { num: number.format(row.people) }), facts(row)].join(": ");
  for (const node of page.querySelectorAll("[data-cell]")) {
    const on = node.dataset.cell === view.cell;
    node.setAttribute("aria-pressed", String(on));
    if (on) node.scrollIntoView({ block: "nearest" });
  }
}

function chooseUnit(id) {
  ask.unit = ask.unit === id ? "" : id;
  find("[data-unit]").value = ask.unit;
  remember();
  load();
}

let waiting = null;
let loadedFor = "";
function moved() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const sight = `${map.resolution()}|${map.box()}`;
    if (sight === loadedFor || !answer) return;
    loadedFor = sight;
    load();
  }, 250);
}

function clockFace() {
  const { day, minute } = localOf(ask.at ?? answer?.at ?? Date.now() / 1000, zone);
  find("[data-clock]").textContent = clockOf(minute);
  find("[data-day]").value = day;
  const slider = find("[data-minute]");
  slider.value = String(minute);
  slider.setAttribute("aria-valuetext", clockOf(minute));
  find("[data-now]").setAttribute("aria-pressed", String(ask.at === null));
  find("[data-compare]").setAttribute("aria-pressed", String(ask.versus !== null));
  find("[data-versus]").hidden = ask.versus === null;
  if (ask.versus !== null) {
    const then = localOf(ask.versus, zone);
    find("[data-versus-day]").value = then.day;
    find("[data-versus-time]").value = clockOf(then.minute);
  }
  find("[data-company]").setAttribute("aria-pressed", String(ask.company));
}

function exports() {
  for (const link of page.querySelectorAll("[data-export-as]")) {
    const values = parameters(ask.at, answer ? { resolution: answer.resolution } : {});
    link.href = `${page.dataset.export}?${values}&${link.dataset.exportAs}`;
  }
}

/** Go to a minute of a day; what lies ahead is now. */
function goTo(day, minute) {
  const epoch = epochOf(day, minute, zone);
  ask.at = epoch >= Math.floor(Date.now() / 60000) * 60 ? null : epoch;
  remember();
  clockFace();
  return load();
}

function pause() {
  playing = null;
  const button = find("[data-play]");
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-label", t("Play"));
  find('[data-when="paused"]').hidden = false;
  find('[data-when="playing"]').hidden = true;
}

/** Picture after picture; the next one is asked for when the last has been shown. */
async function play() {
  if (playing) {
    pause();
    return;
  }
  const mine = {};
  playing = mine;
  const button = find("[data-play]");
  button.setAttribute("aria-pressed", "true");
  button.setAttribute("aria-label", t("Pause"));
  find('[data-when="paused"]').hidden = true;
  find('[data-when="playing"]').hidden = false;
  if (ask.at === null) await goTo(find("[data-day]").value, Math.max(0, Number(find("[data-minute]").value) - 240));
  while (playing === mine && ask.at !== null) {
    const shown = performance.now();
    const { day, minute } = localOf(ask.at, zone);
    if (minute + STEP >= 1440) break;
    await goTo(day, minute + STEP);
    await new Promise((done) => setTimeout(done, Math.max(0, PACE_MS - (performance.now() - shown))));
  }
  if (playing === mine) pause();
}

async function addArea(geometry) {
  find("[data-draw]").setAttribute("aria-pressed", "false");
  view.areas.push(geometry);
  show("areas");
  try {
    await count();
  } catch (error) {
    view.areas.pop();
    toast(error.status === 400 || error.status === 422 ? t("This area cannot be counted: its outline crosses itself or it is too detailed.") : error.message, "warn");
  }
  map.areas(view.areas);
  draw();
}

async function removeArea(index) {
  view.areas.splice(index, 1);
  map.areas(view.areas);
  await count();
  draw();
}

function show(tab) {
  view.tab = tab;
  find(`[name="tab"][value="${tab}"]`).checked = true;
}

for (const radio of page.querySelectorAll('[name="tab"]')) {
  radio.addEventListener("change", () => {
    show(radio.value);
    if (answer) draw();
  });
}
for (const radio of page.querySelectorAll('[name="measure"]')) {
  radio.checked = radio.value === ask.measure;
  radio.addEventListener("change", () => {
    ask.measure = radio.value;
    remember();
    if (answer) draw();
  });
}
find("[data-unit]").value = ask.unit;
find("[data-unit]").addEventListener("change", (event) => {
  ask.unit = event.target.value;
  remember();
  load({ fit: true });
});
let sliding = null;
find("[data-minute]").addEventListener("input", (event) => {
  pause();
  const minute = Number(event.target.value);
  find("[data-clock]").textContent = clockOf(minute);
  event.target.setAttribute("aria-valuetext", clockOf(minute));
  clearTimeout(sliding);
  sliding = setTimeout(() => goTo(find("[data-day]").value || today, minute), 180);
});
find("[data-day]").addEventListener("change", (event) => {
  pause();
  if (event.target.value) goTo(event.target.value, Number(find("[data-minute]").value));
});
function backToNow() {
  pause();
  ask.at = null;
  remember();
  load();
}
find("[data-now]").addEventListener("click", backToNow);
find("[data-play]").addEventListener("click", play);
find("[data-retry]").addEventListener("click", () => load());
find("[data-compare]").addEventListener("click", () => {
  // An hour before is a start; both fields say what it is and can be changed.
  ask.versus = ask.versus === null ? Math.floor(((ask.at ?? Date.now() / 1000) - 3600) / 60) * 60 : null;
  remember();
  load();
});
for (const field of page.querySelectorAll("[data-versus-day], [data-versus-time]")) {
  field.addEventListener("change", () => {
    const [hours, minutes] = find("[data-versus-time]").value.split(":").map(Number);
    const day = find("[data-versus-day]").value;
    if (!day || !Number.isFinite(hours)) return;
    ask.versus = epochOf(day, hours * 60 + minutes, zone);
    remember();
    load();
  });
}
find("[data-company]").addEventListener("click", () => {
  ask.company = !ask.company;
  remember();
  load();
});
find("[data-draw]").addEventListener("click", (event) => {
  const on = !map.drawing;
  event.currentTarget.setAttribute("aria-pressed", String(on));
  if (on) map.startDrawing();
  else map.stopDrawing();
});
addEventListener("keydown", (event) => {
  // Space belongs to whatever control has the focus.
  if (event.key !== " " || event.target.closest?.("button, a, summary, input, select, textarea, dialog")) return;
  event.preventDefault();
  play();
});
onKey("n", backToNow);
onKey("N", backToNow);
onKey("Escape", () => {
  map.stopDrawing();
  find("[data-draw]").setAttribute("aria-pressed", "false");
  if (view.cell) selectCell(view.cell);
});

setInterval(() => {
  if (ask.at === null && !playing && !running && document.visibilityState === "visible") load();
}, AGAIN_MS);

clockFace();
try {
  await map.open(find("[data-map]"));
} catch {
  // No WebGL: the lists, the time and the exports work all the same.
  find("[data-no-map]").hidden = false;
  find("[data-draw]").disabled = true;
  map.resolution = () => 9;
  map.box = () => null;
}
await load({ fit: true });
