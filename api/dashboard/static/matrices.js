// Draws the matrices of a job, one neuropil at a time: rows are sources, columns targets, lines part types.
"use strict";

const night = matchMedia("(prefers-color-scheme: dark)");
const RAMPS = { light: ["#f1f1ee", "#a9cfd3", "#4d98a6", "#14697a", "#0a3540"], dark: ["#1f2529", "#1d4c58", "#2f8193", "#6fc0cf", "#e6f7f9"] };
const LONGEST = 620, SMALLEST = 0.5, LARGEST = 26; // of the picture, and of a cell, in pixels
const MARGIN = 84;

const tag = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function ramp() {
  const stops = RAMPS[night.matches ? "dark" : "light"].map(parts);
  return (share) => {
    const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1), left = Math.floor(at);
    return stops[left].map((one, i) => one + (stops[left + 1][i] - one) * (at - left));
  };
}

class Matrices {
  constructor(place) {
    this.place = place;
    this.choice = tag("select", { id: "neuropil" });
    this.choice.addEventListener("change", () => this.load(this.choice.value));
    this.canvas = tag("canvas", { tabindex: 0, role: "img" });
    this.said = tag("p", { class: "small said", role: "status" });
    this.about = tag("p", { class: "small muted about" });
    this.legend = tag("div", { class: "legend small", "aria-hidden": "true" });
    place.replaceChildren(
      tag("p", { class: "choose" }, tag("label", { for: "neuropil" }, "Neuropil "), this.choice),
      tag("div", { class: "scroll" }, this.canvas), this.legend, this.said, this.about);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("keydown", (event) => this.step(event));
    night.addEventListener("change", () => this.data && this.draw());
    this.load();
  }

  async load(neuropil) {
    const named = neuropil === undefined ? "" : `&neuropil=${encodeURIComponent(neuropil)}`;
    const answer = await fetch(this.place.dataset.address + named);
    if (!answer.ok) { this.said.textContent = "The matrix could not be read."; return; }
    this.data = await answer.json();
    if (!this.choice.options.length)
      for (const { name, connections } of this.data.neuropils)
        this.choice.append(tag("option", { value: name }, `${name} (${connections.toLocaleString("en")})`));
    this.choice.value = this.data.neuropil;
    this.cursor = [0, 0];
    this.weights = new Map(this.data.pre.map((row, i) => [`${row},${this.data.post[i]}`, this.data.weight[i]]));
    this.highest = this.data.weight.reduce((most, one) => Math.max(most, one), 0);
    this.draw();
    this.place.dataset.drawn = this.data.neuropil;
  }

  draw() {
    const { rows, columns, level, neuropil } = this.data;
    this.canvas.hidden = level === "none" || !rows.names.length || !columns.names.length;
    this.about.textContent = this.canvas.hidden ? "Too large to draw, and there are no types to add it up by: see the files." : this.words();
    if (this.canvas.hidden) return;
    const [high, wide] = [rows.names.length, columns.names.length];
    this.cell = Math.max(SMALLEST, Math.min(LARGEST, LONGEST / Math.max(high, wide)));
    this.cellWide = Math.max(SMALLEST, Math.min(LARGEST, (this.place.clientWidth - MARGIN - 8) / wide, this.cell * 3));
    const ratio = devicePixelRatio || 1, [width, height] = [MARGIN + wide * this.cellWide + 2, MARGIN + high * this.cell + 2];
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.canvas.setAttribute("aria-label", `${this.words()} Arrow keys read cells.`);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.image(high, wide), MARGIN, MARGIN, wide * this.cellWide, high * this.cell);
    this.lines(pen, high, wide);
    const shade = ramp(), stops = [0, 0.25, 0.5, 0.75, 1].map((at) => `rgb(${shade(at).map(Math.round)})`);
    this.legend.replaceChildren("0", tag("span"), this.number(this.highest));
    this.legend.children[0].style.background = `linear-gradient(90deg, ${stops})`;
  }

  words() {
    const { rows, columns, neuropil, level } = this.data, unit = level === "type" ? "types" : "neurons";
    return `${neuropil}: ${rows.names.length.toLocaleString("en")} sources (rows), ${columns.names.length.toLocaleString("en")} targets (columns), ${unit}; ${this.data.weight.length.toLocaleString("en")} connections.`;
  }

  image(high, wide) { // one pixel for each cell; weights differ by orders of magnitude, so shades go by their logarithm
    const canvas = tag("canvas", { width: wide, height: high }), pen = canvas.getContext("2d");
    const picture = pen.createImageData(wide, high), shade = ramp(), most = Math.log1p(this.scaled(this.highest)) || 1;
    const paint = (at, colour) => picture.data.set([...colour, 255], 4 * at);
    const empty = shade(0);
    for (let at = 0; at < wide * high; at++) paint(at, empty);
    this.data.pre.forEach((row, i) => paint(row * wide + this.data.post[i], shade(0.12 + 0.88 * Math.log1p(this.scaled(this.data.weight[i])) / most)));
    pen.putImageData(picture, 0, 0);
    return canvas;
  }

  scaled(weight) { return this.highest <= 1 ? 100 * weight : weight; } // shares are at most 1

  lines(pen, high, wide) {
    const style = getComputedStyle(this.place), [width, height] = [wide * this.cellWide, high * this.cell];
    pen.strokeStyle = style.getPropertyValue("--muted");
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.font = `12px ${style.fontFamily}`;
    pen.lineWidth = 0.75;
    pen.strokeRect(MARGIN, MARGIN, width, height);
    this.side(pen, this.data.rows, this.cell, (from, to, name) => {
      line(pen, MARGIN - 6, MARGIN + to, MARGIN + width, MARGIN + to);
      write(pen, name, MARGIN - 8, MARGIN + (from + to) / 2, 0, to - from);
    });
    this.side(pen, this.data.columns, this.cellWide, (from, to, name) => {
      line(pen, MARGIN + to, MARGIN - 6, MARGIN + to, MARGIN + height);
      write(pen, name, MARGIN + (from + to) / 2, MARGIN - 8, Math.PI / 2, to - from);
    });
  }

  side(pen, axis, size, mark) {
    const marks = axis.types.length ? axis.types : this.data.level === "type" ? axis.names.map((name, i) => [name, i, i + 1]) : [];
    for (const [name, start, stop] of marks) mark(start * size, stop * size, name);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.cursor = [Math.floor((event.clientY - box.top - MARGIN) / this.cell), Math.floor((event.clientX - box.left - MARGIN) / this.cellWide)];
    this.say();
  }

  step(event) {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by || !this.data) return;
    event.preventDefault();
    const most = [this.data.rows.names.length - 1, this.data.columns.names.length - 1];
    this.cursor = this.cursor.map((at, i) => Math.min(most[i], Math.max(0, at + by[i])));
    this.say();
  }

  say() {
    const [row, column] = this.cursor, { rows, columns } = this.data;
    if (!rows.names[row] || !columns.names[column]) { this.said.textContent = ""; return; }
    const named = (axis, at) => axis.names[at] + (axis.types.filter(([, a, b]) => a <= at && at < b).map(([name]) => ` (${name})`)[0] ?? "");
    this.said.textContent = `${named(rows, row)} → ${named(columns, column)}: ${this.number(this.weights.get(`${row},${column}`) ?? 0)}`;
  }

  number(weight) { return Number.isInteger(weight) ? weight.toLocaleString("en") : weight.toPrecision(3); }
}

function line(pen, x, y, u, v) {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(u, v);
  pen.stroke();
}

function write(pen, text, x, y, angle, room) {
  if (room < 11) return;
  pen.save();
  pen.translate(x, y);
  pen.rotate(angle ? -angle : 0);
  pen.textAlign = angle ? "left" : "right";
  pen.textBaseline = "middle";
  let short = text;
  while (short.length > 1 && pen.measureText(short).width > MARGIN - 14) short = `${short.slice(0, -2)}…`;
  pen.fillText(short, 0, 0);
  pen.restore();
}

function beginMatrices() {
  const place = document.querySelector(".matrices");
  if (place) place.matrices ??= new Matrices(place);
}

document.addEventListener("crant:fresh", beginMatrices); // live.js has fetched the page again
beginMatrices();
