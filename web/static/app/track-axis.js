/** The axis of the day: presence and way as strips, speed as a chart, all on one scale of time. */

import uPlot from "uplot";
import { clock, t } from "app/i18n";
import { token } from "app/map";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 46; // width of the chart's axis and of the strips' names, CSS pixels
const HEIGHT = 96;

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export class DayAxis {
  constructor(box, model, { onSeek }) {
    this.box = box;
    this.model = model;
    this.onSeek = onSeek;
    this.head = box.querySelector("[data-head]");
    this.#strips();
    this.#chart();
    this.#listen();
    new ResizeObserver(() => this.#resize()).observe(box);
  }

  /** Move the playhead. */
  show(t_) {
    const width = this.box.clientWidth - LEFT;
    this.head.style.transform = `translateX(${LEFT + this.#share(t_) * width}px)`;
    this.box.setAttribute("aria-valuenow", String(Math.round(t_)));
    this.box.setAttribute("aria-valuetext", clock(t_, { zone: this.model.day.zone }));
  }

  #share(at) {
    return (at - this.model.start) / (this.model.end - this.model.start || 1);
  }

  #strips() {
    const { day } = this.model;
    this.#lane("[data-presence]", [
      ...day.presence.map((p) => ({ ...p, name: p.inferred ? "inferred" : p.state })),
      ...day.findings.filter((f) => f.kind === "off_post").map((f) => ({ start: f.start, end: f.end ?? this.model.end, name: "finding" })),
    ]);
    this.#lane("[data-way]", [...day.segments.map((s) => ({ ...s, name: s.kind })), ...this.#silences()]);
    this.box.setAttribute("aria-valuemin", String(Math.round(this.model.start)));
    this.box.setAttribute("aria-valuemax", String(Math.round(this.model.end)));
  }

  /** Long silences inside a stop: the place is inferred there, and the strip says so. */
  #silences() {
    const { times, interval } = this.model;
    const long = Math.max(300, 4 * interval);
    return times.slice(1).flatMap((at, i) => (at - times[i] > long ? [{ start: times[i], end: at, name: "gap" }] : []));
  }

  #lane(selector, parts) {
    const lane = this.box.querySelector(selector);
    lane.setAttribute("viewBox", "0 0 1000 10");
    lane.replaceChildren(hatch(selector), ...parts.map((part) => {
      const x = this.#share(part.start) * 1000;
      const width = Math.max((this.#share(part.end) - this.#share(part.start)) * 1000, 0.8);
      const bar = svg("rect", { x, width, y: part.name === "finding" ? 7.6 : 0, height: part.name === "finding" ? 2.4 : 10, class: `bar bar--${part.name}` });
      if (part.name === "gap" || part.name === "unknown") bar.setAttribute("fill", `url(#hatch${selector.replace(/\W/g, "")})`);
      return bar;
    }));
  }

  #chart() {
    const { model } = this;
    const box = this.box.querySelector("[data-chart]");
    const xs = [];
    const ys = [];
    model.times.forEach((at, i) => {
      // Nothing is drawn over silence: a null between the fixes breaks the line.
      if (i && (model.broken(i - 1) || at - model.times[i - 1] > 4 * model.interval)) {
        xs.push((at + model.times[i - 1]) / 2);
        ys.push(null);
      }
      xs.push(at);
      ys.push(model.speed(i));
    });
    const line = token("--travelling");
    const ink = token("--ink-3");
    const grid = { stroke: token("--line"), width: 1 };
    const font = "11px system-ui, sans-serif";
    const zone = model.day.zone;
    this.chart = new uPlot({
      width: Math.max(this.box.clientWidth, 200), height: HEIGHT, padding: [6, 0, 0, 0], legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: () => [model.start, model.end] }, y: { range: (_u, _low, high) => [0, Math.max(10, (high || 0) * 1.1)] } },
      axes: [
        { stroke: ink, grid, ticks: grid, font, size: 24, incrs: [60, 300, 600, 900, 1800, 3600, 7200, 10800], space: 70, values: (_u, values) => values.map((v) => clock(v, { zone, seconds: false })) },
        { stroke: ink, grid, ticks: { show: false }, font, size: LEFT, space: 26 },
      ],
      series: [{}, { stroke: line, width: 1.4, fill: line.replace("rgb(", "rgba(").replace(")", ", 0.12)"), spanGaps: false, points: { show: false } }],
    }, [xs, ys], box);
    this.points = { xs, ys };
  }

  #resize() {
    this.chart.setSize({ width: Math.max(this.box.clientWidth, 200), height: HEIGHT });
    this.onSeek(null);
  }

  #listen() {
    const seek = (event) => {
      const { left, width } = this.box.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - left - LEFT) / (width - LEFT), 0), 1);
      this.onSeek(this.model.start + share * (this.model.end - this.model.start));
    };
    this.box.addEventListener("pointerdown", (event) => {
      this.box.setPointerCapture(event.pointerId);
      seek(event);
    });
    this.box.addEventListener("pointermove", (event) => {
      if (event.buttons) seek(event);
    });
  }
}

function hatch(selector) {
  const id = `hatch${selector.replace(/\W/g, "")}`;
  return svg("defs", {}, svg("pattern", { id, width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 4, height: 4, class: "hatch-paper" }), svg("rect", { width: 1.6, height: 4, class: "hatch-ink" })));
}

/** A title for a segment in words. */
export function titleOf(segment) {
  if (segment.kind === "stop") return segment.post || t("Stop");
  return segment.kind === "trip" ? t("Trip") : t("No position");
}
