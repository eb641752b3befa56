/** Draws a row of numbers as a small line with an area under it. The newest is at the right edge. */

const WIDTH = 160;
const HEIGHT = 40;
const SVG = "http://www.w3.org/2000/svg";

export class Sparkline {
  #values = [];
  #line = document.createElementNS(SVG, "path");
  #area = document.createElementNS(SVG, "path");
  #dot = document.createElementNS(SVG, "path"); // of no length: its round ends keep their shape, however the drawing is stretched
  #base = document.createElementNS(SVG, "path");

  /** @param {SVGElement} svg where to draw  @param {number} capacity how many numbers are kept */
  constructor(svg, capacity = 90) {
    this.capacity = capacity;
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    this.#line.setAttribute("class", "line");
    this.#area.setAttribute("class", "area");
    this.#dot.setAttribute("class", "dot");
    this.#base.setAttribute("class", "base");
    this.#base.setAttribute("d", `M0 ${HEIGHT}H${WIDTH}`);
    svg.append(this.#base, this.#area, this.#line, this.#dot);
  }

  push(value) {
    this.#values.push(value);
    if (this.#values.length > this.capacity) this.#values.shift();
    const top = Math.max(1, ...this.#values) * 1.15;
    const y = (each) => (HEIGHT - 2 - (each / top) * (HEIGHT - 6)).toFixed(1);
    const x = (i) => (WIDTH - 3 - (this.#values.length - 1 - i) * ((WIDTH - 3) / (this.capacity - 1))).toFixed(1);
    const points = this.#values.map((each, i) => `${x(i)} ${y(each)}`).join("L");
    this.#line.setAttribute("d", `M${points}`);
    this.#area.setAttribute("d", `M${points}L${x(this.#values.length - 1)} ${HEIGHT}L${x(0)} ${HEIGHT}Z`);
    this.#dot.setAttribute("d", `M${x(this.#values.length - 1)} ${y(value)}h0`);
  }
}
