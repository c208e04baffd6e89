// Draws the skeletons of a job: one rotatable picture of all, and a small one of each to choose by. Reads SWC and
// Neuroglancer's precomputed skeletons as they are stored. Positions are in nm (SWC: µm if its header says so).
"use strict";

const WIDE = 0.9; // pixels of half a line, at least
const NEAR = 1.25; // how much of the picture's size the neurons may fill, inverse
const LIGHT = ["#1f6f8b", "#c2571a", "#5b8c2a", "#8a4baf", "#b8860b", "#c23b5e", "#2f7d6b", "#5566b5", "#996633", "#7a7a7a"];
const DARK = ["#6cc5da", "#f2a65e", "#a5d46a", "#c79be8", "#e8c65a", "#f08ca5", "#6fd3b8", "#9dabf0", "#d9b38c", "#bdbdbd"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (i) => (dark.matches ? DARK : LIGHT)[i % LIGHT.length];
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);

// -- reading -----------------------------------------------------------------------------------------------------

async function read(address, name) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return name.endsWith(".swc") ? readSwc(await answer.text()) : readPrecomputed(await answer.arrayBuffer());
}

function readSwc(text) {
  const at = new Map(), points = [], radii = [], parents = [];
  const nm = /^#.*units?\W+(µm|um|micron)/im.test(text) ? 1000 : 1;
  for (const line of text.split("\n")) {
    if (!line || line[0] === "#") continue;
    const [node, , x, y, z, radius, parent] = line.trim().split(/\s+/).map(Number);
    at.set(node, radii.length);
    points.push(x * nm, y * nm, z * nm);
    radii.push(radius * nm);
    parents.push(parent);
  }
  const edges = [];
  parents.forEach((parent, child) => { if (parent >= 0 && at.has(parent)) edges.push(child, at.get(parent)); });
  return { points, radii, edges };
}

function readPrecomputed(buffer) {
  const [nodes, edges] = new Uint32Array(buffer, 0, 2);
  return {
    points: new Float32Array(buffer, 8, 3 * nodes),
    edges: new Uint32Array(buffer, 8 + 12 * nodes, 2 * edges),
    radii: new Float32Array(nodes),
  };
}

// -- drawing with WebGL 2: each edge is a rectangle that faces the viewer, so lines have a width everywhere ------------

const VERTEX = `#version 300 es
layout(location=0) in vec2 corner;
layout(location=1) in vec4 from;
layout(location=2) in vec4 to;
layout(location=3) in vec4 tint;
uniform mat3 turn; uniform vec3 centre; uniform vec2 scale; uniform vec2 shift; uniform vec2 size; uniform float wide; uniform float depth;
out vec4 shade;
void main() {
  vec3 a = turn * (from.xyz - centre), b = turn * (to.xyz - centre);
  vec2 p = a.xy * scale + shift, q = b.xy * scale + shift;
  vec2 along = (q - p) * size; float far = length(along);
  along = far > 1e-6 ? along / far : vec2(1.0, 0.0);
  float half_ = max(wide, (corner.x < 0.5 ? from.w : to.w) * scale.x * size.x * 0.5);
  vec2 side = vec2(-along.y, along.x) * (corner.y * 2.0 - 1.0) + along * (corner.x * 2.0 - 1.0) * 0.5;
  vec3 here = corner.x < 0.5 ? a : b;
  gl_Position = vec4((corner.x < 0.5 ? p : q) + side * half_ * 2.0 / size, clamp(here.z / depth, -1.0, 1.0), 1.0);
  shade = vec4(tint.rgb, tint.a * mix(1.0, 0.55, clamp(here.z / depth * 0.5 + 0.5, 0.0, 1.0)));
}`;
const FRAGMENT = `#version 300 es
precision mediump float; in vec4 shade; out vec4 colour; void main() { colour = vec4(shade.rgb * shade.a, shade.a); }`;

class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: true, premultipliedAlpha: true, preserveDrawingBuffer: true });
    if (!this.gl) throw new Error("no WebGL");
    this.program = this.link();
    Object.assign(this, { count: 0, centre: [0, 0, 0], extent: 1 });
    this.reset();
  }

  link() {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    return program;
  }

  reset() { // front: x to the right, y down
    this.turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    this.zoom = 1;
    this.shift = [0, 0];
  }

  load(neurons, chosen) {
    const gl = this.gl, rows = [];
    for (const neuron of neurons) {
      const strength = chosen && chosen !== neuron.key ? 0.12 : 1;
      const [r, g, b] = rgb(colour(neuron.index)), { points, radii, edges } = neuron;
      for (let e = 0; e < edges.length; e += 2) {
        for (const end of [edges[e], edges[e + 1]])
          rows.push(points[3 * end], points[3 * end + 1], points[3 * end + 2], radii[end] || 0);
        rows.push(r, g, b, strength);
      }
    }
    this.count = rows.length / 12;
    const box = bounds(neurons.filter((neuron) => !chosen || chosen === neuron.key));
    this.centre = box.middle;
    this.extent = box.size || 1;
    this.fill(gl, new Float32Array(rows));
  }

  fill(gl, rows) {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    if (this.rows) gl.deleteBuffer(this.rows);
    this.rows = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.rows);
    gl.bufferData(gl.ARRAY_BUFFER, rows, gl.STATIC_DRAW);
    for (const place of [1, 2, 3]) {
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 4, gl.FLOAT, false, 48, 16 * (place - 1));
      gl.vertexAttribDivisor(place, 1);
    }
  }

  get nmPerPixel() { // of the page
    return this.extent * NEAR / (Math.min(this.canvas.clientWidth, this.canvas.clientHeight) * this.zoom);
  }

  draw() {
    const gl = this.gl, canvas = this.canvas, ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const at = (name) => gl.getUniformLocation(this.program, name), scale = 2 * ratio / this.nmPerPixel;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    gl.uniformMatrix3fv(at("turn"), true, this.turn);
    gl.uniform3fv(at("centre"), this.centre);
    gl.uniform2f(at("scale"), scale / width, -scale / height);
    gl.uniform2fv(at("shift"), this.shift);
    gl.uniform2f(at("size"), width, height);
    gl.uniform1f(at("wide"), WIDE * ratio);
    gl.uniform1f(at("depth"), this.extent);
    if (this.count) gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
  }

  rotate(about, angle) { // about the picture's axes: 0 is the one to the right, 1 the one down
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    const by = about ? [c, 0, s, 0, 1, 0, -s, 0, c] : [1, 0, 0, 0, c, -s, 0, s, c], old = this.turn;
    this.turn = by.map((_, i) => [0, 1, 2].reduce((sum, k) => sum + by[i - i % 3 + k] * old[3 * k + i % 3], 0));
  }
}

function bounds(neurons) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const { points } of neurons)
    for (let i = 0; i < points.length; i++) {
      low[i % 3] = Math.min(low[i % 3], points[i]);
      high[i % 3] = Math.max(high[i % 3], points[i]);
    }
  if (!(low[0] <= high[0])) return { middle: [0, 0, 0], size: 1, low: [0, 0, 0], high: [1, 1, 1] };
  return { middle: low.map((one, i) => (one + high[i]) / 2), size: Math.max(...high.map((one, i) => one - low[i])), low, high };
}

// -- the page ----------------------------------------------------------------------------------------------------

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

class Skeletons {
  constructor(place) {
    this.place = place;
    this.neurons = [];
    this.asked = new Set();
    this.chosen = null;
    const canvas = element("canvas", { tabindex: 0, role: "img", "aria-label": "Skeletons of this job, drawn. Arrow keys turn the picture, plus and minus zoom, 0 goes back." });
    this.view = new View(canvas);
    this.scale = element("span", { class: "scale" });
    this.thumbs = element("div", { class: "thumbs", role: "group", "aria-label": "Show one neuron alone" });
    const button = (label, sign, act) => {
      const made = element("button", { type: "button", class: "button", "aria-label": label, title: label }, sign);
      made.addEventListener("click", () => this.change(act));
      return made;
    };
    const controls = element("div", { class: "controls" }, button("Zoom in", "+", () => this.zoom(1.25)),
      button("Zoom out", "−", () => this.zoom(0.8)), button("Front view", "⟲", () => this.view.reset()));
    place.replaceChildren(element("div", { class: "stage" }, canvas, controls, this.scale), this.thumbs);
    this.listen(canvas);
  }

  zoom(by) { this.view.zoom = Math.min(60, Math.max(0.3, this.view.zoom * by)); }

  change(act) {
    act();
    this.later ??= requestAnimationFrame(() => { this.later = null; this.draw(); });
  }

  listen(canvas) {
    const keys = {
      ArrowLeft: () => this.view.rotate(1, 0.12), ArrowRight: () => this.view.rotate(1, -0.12),
      ArrowUp: () => this.view.rotate(0, -0.12), ArrowDown: () => this.view.rotate(0, 0.12),
      "+": () => this.zoom(1.15), "=": () => this.zoom(1.15), "-": () => this.zoom(1 / 1.15), 0: () => this.view.reset(),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.change(keys[event.key]);
    });
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      const [x, y] = [event.movementX, event.movementY];
      this.change(() => {
        if (event.shiftKey) this.view.shift = [this.view.shift[0] + 2 * x / canvas.clientWidth, this.view.shift[1] - 2 * y / canvas.clientHeight];
        else { this.view.rotate(1, -x / 180); this.view.rotate(0, y / 180); }
      });
    });
    canvas.addEventListener("wheel", (event) => { // the page scrolls, unless one works with the picture
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      this.change(() => this.zoom(Math.exp(-event.deltaY / 400)));
    }, { passive: false });
    new ResizeObserver(() => this.change(() => {})).observe(canvas);
    dark.addEventListener("change", () => this.show());
  }

  async follow() {
    const { files, base } = this.place.dataset;
    for (const { key, name } of JSON.parse(files)) {
      if (this.asked.has(key)) continue;
      this.asked.add(key);
      try {
        const found = await read(base + encodeURIComponent(name), name);
        this.neurons.push({ key, index: this.neurons.length, ...found });
        this.show();
      } catch (error) { console.warn(error); }
    }
    this.place.dataset.drawn = this.neurons.length;
  }

  show() {
    this.view.load(this.neurons, this.chosen);
    for (const neuron of this.neurons) this.thumb(neuron);
    this.change(() => {});
  }

  thumb(neuron) {
    let button = this.thumbs.children[neuron.index];
    if (!button) {
      button = element("button", { type: "button", "aria-pressed": "false" }, element("canvas", { width: 160, height: 120, "aria-hidden": "true" }), element("code", {}, neuron.key));
      button.addEventListener("click", () => this.choose(neuron.key));
      this.thumbs.append(button);
    }
    button.setAttribute("aria-pressed", String(this.chosen === neuron.key));
    sketch(button.firstChild, neuron);
  }

  choose(key) {
    this.chosen = this.chosen === key ? null : key;
    this.show();
  }

  draw() {
    this.view.draw();
    const wanted = this.view.nmPerPixel * 90, ten = 10 ** Math.floor(Math.log10(wanted));
    const nice = [5, 2, 1].map((digit) => digit * ten).find((length) => length <= wanted) ?? ten;
    this.scale.style.width = `${nice / this.view.nmPerPixel}px`;
    this.scale.textContent = nice >= 1000 ? `${nice / 1000} µm` : `${nice} nm`;
  }
}

function sketch(canvas, { points, edges, index, key }) {
  const pen = canvas.getContext("2d"), { low, high } = bounds([{ points }]);
  const scale = Math.min((canvas.width - 12) / (high[0] - low[0] || 1), (canvas.height - 12) / (high[1] - low[1] || 1));
  const left = (canvas.width - (high[0] - low[0]) * scale) / 2, top = (canvas.height - (high[1] - low[1]) * scale) / 2;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = colour(index);
  pen.lineWidth = 1.4;
  pen.beginPath();
  for (let e = 0; e < edges.length; e += 2) {
    pen.moveTo(left + (points[3 * edges[e]] - low[0]) * scale, top + (points[3 * edges[e] + 1] - low[1]) * scale);
    pen.lineTo(left + (points[3 * edges[e + 1]] - low[0]) * scale, top + (points[3 * edges[e + 1] + 1] - low[1]) * scale);
  }
  pen.stroke();
}

function begin() {
  const place = document.querySelector(".skeletons");
  if (!place) return;
  try {
    place.skeletons ??= new Skeletons(place);
    place.skeletons.follow();
  } catch { delete place.skeletons; } // without WebGL the picture that the worker made stays
}

document.addEventListener("crant:fresh", begin); // live.js has fetched the page again
begin();
