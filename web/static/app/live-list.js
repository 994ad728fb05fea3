/** The list of people: only the rows in sight exist; arrow keys walk through it. */

import { el, drawing } from "app/dom";
import { age, t } from "app/i18n";

const ROW = 53; // height of a row with its line, CSS pixels
const SPARE = 6;

export class LiveList {
  #people = [];
  #selected = null;
  #index = new Map();
  #rows = new Map();
  #pressed = false;
  #need = null;

  /** `box` scrolls and is the listbox; `onSelect(id, {open})` hears the reader's choice. */
  constructor(box, { now, words, onSelect }) {
    this.box = box;
    this.now = now;
    this.words = words;
    this.onSelect = onSelect;
    this.inner = el("div", { class: "people__inner", role: "presentation" });
    box.append(this.inner);
    box.addEventListener("scroll", () => this.#paint(), { passive: true });
    new ResizeObserver(() => this.#paint()).observe(box);
    box.addEventListener("click", (event) => {
      const row = event.target.closest("[data-id]");
      this.#pressed = false;
      if (row) this.onSelect(row.dataset.id);
    });
    box.addEventListener("keydown", (event) => this.#key(event));
    // A row replaced between press and release would swallow the click.
    box.addEventListener("pointerdown", () => { this.#pressed = true; });
    addEventListener("pointerup", () => this.#release());
    addEventListener("pointercancel", () => this.#release());
  }

  show(people) {
    this.#people = people;
    this.#index = new Map(people.map((person, i) => [person.id, i]));
    this.inner.style.height = `${people.length * ROW}px`;
    this.#paint(true);
  }

  /** Show rows of which only some are known; `need(from, to)` hears which are in sight. */
  showSparse(people, need) {
    this.#need = need;
    this.#people = people;
    this.#index = new Map();
    people.forEach((person, i) => this.#index.set(person.id, i));
    this.inner.style.height = `${people.length * ROW}px`;
    this.#paint(true);
  }

  select(id, { reveal = true } = {}) {
    this.#selected = id;
    const index = this.#index.get(id);
    if (reveal && index !== undefined) {
      const top = index * ROW;
      const { scrollTop, clientHeight } = this.box;
      if (top < scrollTop) this.box.scrollTop = top;
      else if (top + ROW > scrollTop + clientHeight) this.box.scrollTop = top + ROW - clientHeight;
    }
    this.#paint(true);
  }

  refresh() {
    this.#paint(true);
  }

  first() {
    return this.#people[0]?.id ?? null;
  }

  #release() {
    if (!this.#pressed) return;
    // After the click, which follows the release.
    setTimeout(() => {
      this.#pressed = false;
      this.#paint(true);
    });
  }

  #key(event) {
    const at = this.#index.get(this.#selected) ?? -1;
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.#people.length - 1 };
    if (event.key in steps && this.#people.length) {
      event.preventDefault();
      const next = Math.min(Math.max(steps[event.key], 0), this.#people.length - 1);
      if (this.#people[next]) this.onSelect(this.#people[next].id);
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) {
      event.preventDefault();
      this.onSelect(this.#selected, { open: true });
    }
  }

  #paint(renew = false) {
    if (this.#pressed && renew) return;
    const from = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    const to = Math.min(this.#people.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + SPARE);
    this.#need?.(from, to);
    const rows = new Map();
    let k = -1;
    this.#people.slice(from, to).forEach((person, at) => {
      k += 1;
      const known = this.#rows.get(person.id);
      const row = known && (!renew || known.dataset.look === this.#look(person, from + at)) ? known : this.#row(person, from + at);
      row.style.transform = `translateY(${(from + at) * ROW}px)`;
      rows.set(person.id, row);
      // The order of the document is the order on the screen, for whoever reads by ear.
      if (this.inner.children[k] !== row) this.inner.insertBefore(row, this.inner.children[k] ?? null);
    });
    while (this.inner.children.length > rows.size) this.inner.lastChild.remove();
    this.#rows = rows;
    const active = rows.has(this.#selected) ? `person-${this.#selected}` : null;
    if (active) this.box.setAttribute("aria-activedescendant", active);
    else this.box.removeAttribute("aria-activedescendant");
  }

  /** The unit, which may be cut, and what never is: how old the fix is and how full the battery. */
  #facts(person) {
    const rest = [
      person.fixed_at ? age(Math.max(0, this.now() - person.fixed_at)) : t("no fix yet"),
      person.battery_pct === null || person.battery_pct === undefined ? null : `${person.battery_pct}%`,
    ].filter(Boolean).join(" · ");
    return [person.unit ?? "", person.unit ? ` · ${rest}` : rest];
  }

  /** Everything a row shows, as one text: equal looks need no new row. */
  #look(person, index) {
    return [person.status, person.name, ...this.#facts(person), person.id === this.#selected, index, this.#people.length].join("|");
  }

  #row(person, index) {
    const [unit, rest] = this.#facts(person);
    return el("div", {
      class: "person", role: "option", id: `person-${person.id}`, dataset: { id: person.id, look: this.#look(person, index) },
      "aria-selected": String(person.id === this.#selected),
      "aria-posinset": index + 1, "aria-setsize": this.#people.length,
    },
    el("span", { class: "avatar", "aria-hidden": "true" }, person.name.trim().slice(0, 1).toUpperCase()),
    el("span", { class: "person__text" },
      el("strong", {}, person.name),
      el("span", { class: "person__facts" }, el("span", { class: "person__unit" }, unit), el("span", { class: "person__rest" }, rest))),
    el("span", { class: `pill pill--${person.status}` }, drawing(person.status), this.words[person.status]));
  }
}
