/**
 * The live page for more people than a browser can hold. Counts come from the server and are
 * exact; the map shows squares from afar and people of the window when near; the list fetches
 * the rows in sight; the stream tells of the window only.
 */

import { fetchJson } from "app/dom";
import { SEVERITY } from "app/live-store";

const NEAR = 10; // zoom from which people are asked for one by one
const AGAIN_MS = 15000;
const PAGE = 50;
const MARGIN = 0.15;
const NOBODY = { id: [] };

export class ManyPeople {
  #page; // what live.js shares
  #pages = new Map(); // number of a page of the list → true when it is here or on its way
  #rows = [];
  #total = 0;
  #known = new Map(); // people of fetched rows by id
  #asked = ""; // the filter that the list is of
  #looking = null;
  #soon = null;
  #answer = null;

  constructor(page) {
    this.#page = page;
    this.counts = Object.fromEntries(SEVERITY.map((status) => [status, 0]));
    this.near = false;
  }

  /** Take over a snapshot without people; asks for what is in sight. */
  async begin(answer) {
    const { store, map, find } = this.#page;
    const first = this.#answer === null;
    this.#answer = answer;
    this.counts = answer.counts;
    store.load({ ...answer, people: NOBODY });
    this.#list(true);
    if (!first) return this.look();
    for (const part of ["[data-lasso]"]) find(part).hidden = true;
    if (!map.map) {
      this.#listen(answer.cursor, "none");
      return undefined;
    }
    map.map.on("moveend", () => this.#lookSoon(250));
    setInterval(() => this.#again(), AGAIN_MS);
    await this.fit();
    return this.look();
  }

  /** Draw what is known again, and fetch what the filter or the window lacks. */
  render() {
    const { store, map, list } = this.#page;
    map.show([...store.people.values()].filter((person) => this.#page.view.statuses.has(person.status)));
    if (this.#filter() !== this.#asked) {
      this.#list(true);
      this.#lookSoon(0);
    } else list.refresh();
  }

  get total() {
    return this.#total;
  }

  /** Somebody of the list or the window. */
  person(id) {
    return this.#page.store.people.get(id) ?? this.#known.get(id);
  }

  /** Somebody came into the window who is not known yet. */
  stranger() {
    this.#lookSoon(3000);
  }

  /** Show where everybody is. */
  async fit() {
    const { map } = this.#page;
    const found = await this.#squares([-180, -85, 180, 85], 2);
    map.fitPoints(found.lon.map((lon, i) => [lon, found.lat[i]]));
  }

  /** Fetch what is in sight: people when near and few enough, else squares. */
  async look() {
    const { store, map } = this.#page;
    this.#looking?.abort();
    const mine = new AbortController();
    this.#looking = mine;
    const box = this.#box();
    try {
      let found = null;
      if (map.map.getZoom() >= NEAR) {
        found = await fetchJson(`${this.#page.urls.view}?${new URLSearchParams({ box: box.join(",") })}`, { signal: mine.signal });
      }
      if (found && !found.too_many) {
        this.near = true;
        map.showSquares([]);
        store.load({ ...this.#answer, as_of: found.as_of, alerts: [...store.alerts.values()], people: found.people });
        this.#listen(found.cursor, box.join(","));
        return;
      }
      const squares = await this.#squares(box, Math.floor(map.map.getZoom()), mine.signal);
      this.near = false;
      store.load({ ...this.#answer, as_of: store.asOf, alerts: [...store.alerts.values()], people: NOBODY });
      map.showSquares(squares.lon.map((lon, i) => ({
        lon, lat: squares.lat[i], people: squares.people[i], bad: squares.off_post[i],
      })));
      this.#listen(this.#answer.cursor, "none");
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) location.reload();
    }
  }

  async #squares(box, zoom, signal) {
    const values = new URLSearchParams({ box: box.join(","), zoom: String(zoom), s: [...this.#page.view.statuses].join(",") });
    const found = await fetchJson(`${this.#page.urls.cells}?${values}`, { signal });
    this.#page.store.tick(found.as_of);
    return found.cells;
  }

  /** Counts, squares and the rows in sight, a few times a minute. */
  async #again() {
    if (document.visibilityState !== "visible") return;
    try {
      const answer = await fetchJson(this.#page.urls.snapshot);
      this.#answer = { ...answer, cursor: answer.cursor ?? this.#answer.cursor };
      this.counts = answer.counts;
      this.#page.store.tick(answer.as_of);
      this.#page.showCounts();
      this.#list(false);
      if (!this.near) await this.look();
    } catch (error) {
      if (error.status === 401) location.reload();
    }
  }

  #lookSoon(wait) {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => this.look(), wait);
  }

  #listen(cursor, sight) {
    const { stream } = this.#page;
    // Alerts go on where they are while squares are fetched again.
    if (sight === "none" && stream.sight === "none") return;
    stream.start(cursor, sight);
  }

  #box() {
    const bounds = this.#page.map.map.getBounds();
    const [w, e, s, n] = [bounds.getWest(), bounds.getEast(), bounds.getSouth(), bounds.getNorth()];
    const [dx, dy] = [(e - w) * MARGIN, (n - s) * MARGIN];
    return [Math.max(-180, w - dx), Math.max(-85, s - dy), Math.min(180, e + dx), Math.min(85, n + dy)].map((x) => Number(x.toFixed(5)));
  }

  #filter() {
    const { view } = this.#page;
    return `${[...view.statuses].sort().join(",")}|${view.q}`;
  }

  #list(anew) {
    this.#asked = this.#filter();
    this.#pages.clear();
    if (anew) this.#rows = [];
    this.#need(0, 1);
  }

  /** Fetch the pages that hold rows from–to. */
  #need(from, to) {
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page += 1) {
      if (!this.#pages.has(page)) this.#fetch(page);
    }
  }

  async #fetch(page) {
    this.#pages.set(page, true);
    const asked = this.#asked;
    const values = new URLSearchParams({ from: String(page * PAGE), s: [...this.#page.view.statuses].join(","), q: this.#page.view.q });
    try {
      const found = await fetchJson(`${this.#page.urls.list}?${values}`);
      if (asked !== this.#asked) return;
      this.#total = found.total;
      this.#rows.length = found.total;
      const columns = found.people;
      columns.id.forEach((id, i) => {
        const person = Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[i]]));
        this.#rows[found.from + i] = person;
        this.#known.set(id, person);
      });
      this.#page.list.showSparse(this.#rows, (from, to) => this.#need(from, to));
      this.#page.showCounts();
    } catch (error) {
      this.#pages.delete(page);
      if (error.status === 401) location.reload();
    }
  }
}
