/**
 * Ask where somebody is now, and follow the answer until it is there.
 *
 * The box says whose it is by data-person; a page that shows one person after the other tells
 * by the event "outpost:person" ({ id, on_duty } or null). An answer is told to the page by
 * "outpost:located" ({ id, answer }).
 */

import { el, fetchJson } from "app/dom";
import { age, length, t } from "app/i18n";

const NIL = "00000000-0000-0000-0000-000000000000";
const OPEN = new Set(["asked", "sent", "carrier"]);
const POLL_MS = 1000;
const FRESH_S = 600; // an older question is history, and stands in the list below

const box = document.querySelector("[data-locate]");
const form = document.querySelector("[data-locate-form]");
const find = (name) => box.querySelector(`[data-locate-${name}]`);

class Locate {
  #timer = null;
  #told = null;
  #turn = 0;

  constructor() {
    this.person = box.dataset.person ?? null;
    this.onDuty = this.person ? !find("ask").disabled : false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
    document.addEventListener("outpost:person", ({ detail }) => this.show(detail));
    if (this.person) this.follow();
  }

  /** Another person, or the same one going on or off duty; null for nobody. */
  show(person) {
    const id = person?.id ?? null;
    const duty = Boolean(person?.on_duty);
    if (id === this.person && duty === this.onDuty) return;
    const other = id !== this.person;
    this.person = id;
    this.onDuty = duty;
    find("ask").disabled = !id || !duty;
    find("why").hidden = !id || duty;
    if (!other && duty) return;
    this.#stop();
    find("follow").hidden = true;
    if (id && duty) this.follow();
  }

  async ask() {
    const problem = form.querySelector("[data-locate-problem]");
    problem.hidden = true;
    const button = form.querySelector("button.btn--primary");
    button.disabled = true;
    try {
      const answer = await fetchJson(form.action.replace(NIL, this.person), { method: "POST", body: new FormData(form) });
      form.closest("dialog")?.close();
      form.reset();
      this.#told = null;
      this.#draw(answer);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      button.disabled = false;
    }
  }

  /** Fetch one's own newest question and go on while it is open. */
  async follow() {
    const turn = ++this.#turn;
    const person = this.person;
    try {
      const answer = await fetchJson(box.dataset.newest.replace(NIL, person));
      if (turn === this.#turn && person === this.person) this.#draw(answer);
    } catch (error) {
      if (turn !== this.#turn || person !== this.person) return;
      if (error.status === 404) this.#stop();
      else this.#again();
    }
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#turn += 1;
  }

  #again() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.follow(), POLL_MS);
  }

  #draw({ as_of: asOf, question }) {
    const open = Boolean(question) && OPEN.has(question.state);
    const fresh = Boolean(question) && (open || asOf - question.asked_at < FRESH_S);
    find("follow").hidden = !fresh;
    if (!fresh) return;
    box.dataset.state = question.state;
    if (find("state").textContent !== question.words) find("state").textContent = question.words;
    const progress = find("progress");
    progress.hidden = !open;
    progress.value = Math.min(1, (asOf - question.asked_at) / Math.max(1, question.due_at - question.asked_at));
    find("steps").replaceChildren(...question.steps.map((step) => el("li", { "data-outcome": step.outcome }, step.words)));
    this.#place(question, asOf);
    if (open) this.#again();
    else this.#stop();
  }

  #place(question, asOf) {
    const { answer } = question;
    find("answer").hidden = !answer;
    const live = document.getElementById("live");
    find("map").hidden = !answer || Boolean(live);
    if (!answer) return;
    find("map").href = `${find("map").href.split("?")[0]}?p=${encodeURIComponent(question.employee_id)}`;
    const old = Math.max(0, asOf - answer.fixed_at);
    find("age").textContent = old < 60 ? t("%(num)d s ago", { num: Math.round(old) }) : age(old);
    find("accuracy").textContent = answer.accuracy_m === null ? t("unknown") : `±${length(answer.accuracy_m)}`;
    if (this.#told === question.id) return;
    this.#told = question.id;
    document.dispatchEvent(new CustomEvent("outpost:located", { detail: { id: question.employee_id, answer } }));
  }
}

if (box && form) new Locate();
