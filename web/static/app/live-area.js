/** Pick people by drawing: drag a ring over the map, or a box with two keyboard-free clicks. */

/** Let the reader draw one ring on `map`; resolves to canvas points, or null on Escape. */
export function drawRing(map, host) {
  return new Promise((done) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
    svg.setAttribute("class", "lasso");
    svg.append(shape);
    host.append(svg);
    const ring = [];
    const finish = (answer) => {
      svg.remove();
      removeEventListener("keydown", escape, true);
      done(answer);
    };
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      finish(null);
    };
    addEventListener("keydown", escape, true);
    const point = (event) => {
      const box = svg.getBoundingClientRect();
      ring.push([event.clientX - box.left, event.clientY - box.top]);
      shape.setAttribute("points", ring.map((p) => p.join(",")).join(" "));
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      point(event);
      svg.addEventListener("pointermove", point);
    });
    svg.addEventListener("pointerup", () => finish(ring.length > 2 ? ring : null));
    svg.addEventListener("pointercancel", () => finish(null));
  });
}
