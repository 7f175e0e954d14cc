"use strict";

/** Where answers come from, in the order in which they are stacked. */
const SOURCES = {
  computed: "computed", joined: "waited for another", stale: "stale hit", hit: "hit", passed: "past the cache",
};

/**
 * The samples of the service on one time axis: four panels, and invalidations as marks through all of them.
 * One moment of it can be read: by pointer, and as a slider by keys.
 */
class Chart {
  static panels = [
    { title: "Requests per second", height: 110, bars: (bin) => stacked(bin.requests, bin.seconds), unit: count },
    { title: "Hit ratio", height: 56, line: (bin) => bin.ratio, most: 1, unit: percent },
    { title: "Computing time per second", height: 70, unit: time,
      bars: (bin) => [["computed", bin.spent / bin.seconds], ["hit", bin.saved / bin.seconds]] },
    { title: "Responses in memory", height: 56, line: (bin) => bin.bytes, unit: bytes },
  ];

  constructor(host, output) {
    [this.host, this.output, this.samples, this.at] = [host, output, [], null];
    host.addEventListener("pointermove", (event) => this.point(event));
    host.addEventListener("pointerdown", (event) => this.point(event));
    host.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.read(null); });
    host.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(host);
  }

  /** Five minutes are kept, as the service does. */
  add(samples) {
    this.samples = [...this.samples, ...samples].slice(-300);
    this.draw();
  }

  /** The samples in bins of some seconds each, so that a bar is never thinner than can be seen. */
  bins() {
    const width = this.width = Math.max(this.host.clientWidth, 240);
    this.span = width < 600 ? 120 : 300;
    const seconds = this.seconds = Math.max(1, Math.ceil(this.span * 5 / width));
    const bins = new Map();
    for (const sample of this.samples) {
      const start = Math.floor(sample.at / 1000 / seconds) * seconds;
      const bin = bins.get(start) ?? { start, seconds, requests: {}, reads: 0, found: 0, spent: 0, saved: 0,
                                       invalidations: 0, records: 0 };
      bins.set(start, bin);
      for (const [source, number] of Object.entries(sample.requests)) {
        bin.requests[source] = (bin.requests[source] ?? 0) + number;
      }
      bin.reads += sample.reads;
      bin.found += sample.reads * (sample.hit_ratio ?? 0);
      bin.ratio = bin.reads ? bin.found / bin.reads : null;
      bin.spent += sample.computing_ms;
      bin.saved += sample.saved_ms;
      bin.invalidations += sample.invalidations;
      bin.records += sample.records;
      [bin.bytes, bin.responses, bin.values] = [sample.response_bytes, sample.responses, sample.values];
    }
    const last = Math.max(...bins.keys());
    this.first = last + seconds - this.span;
    return [...bins.values()].filter((bin) => bin.start >= this.first);
  }

  x(seconds) { return (seconds - this.first) / this.span * this.width; }

  draw() {
    if (!this.samples.length) return;
    const bins = this.shown = this.bins(), parts = [];
    const height = Chart.panels.reduce((sum, panel) => sum + panel.height + 34, 12);
    let top = 12;
    // Behind all else.
    for (const bin of bins.filter((bin) => bin.invalidations || bin.records)) {
      const x = this.x(bin.start + bin.seconds / 2);
      parts.push(svg("line", { class: "mark", x1: x, x2: x, y1: 6, y2: height - 12 }),
                 svg("path", { class: "flag", d: `M${x - 5} 0h10l-5 8z` }));
    }
    for (const panel of Chart.panels) {
      this.panel(parts, panel, bins, top + 22);
      top += panel.height + 34;
    }
    for (let minute = 0; minute * 60 <= this.span; minute++) {
      const x = this.width - minute * 60 / this.span * this.width;
      const anchor = minute === 0 ? "end" : x < 20 ? "start" : "middle";
      parts.push(svg("text", { x, y: top + 4, "text-anchor": anchor }, minute ? `${minute} min ago` : "now"));
    }
    const at = this.index();
    if (at >= 0) {
      const x = this.x(bins[at].start + bins[at].seconds / 2);
      parts.push(svg("line", { class: "cursor", x1: x, x2: x, y1: 12, y2: top - 12 }));
    }
    const box = { viewBox: `0 0 ${this.width} ${top + 10}`, height: top + 10, "aria-hidden": "true" };
    this.host.replaceChildren(svg("svg", box, ...parts));
    this.tell(at);
  }

  panel(parts, { title, height, bars, line, most, unit }, bins, top) {
    const sums = bins.map((bin) => bars ? bars(bin).reduce((sum, [, value]) => sum + value, 0) : line(bin) ?? 0);
    const highest = most ?? Math.max(...sums), scale = height / (highest || 1), bottom = top + height;
    parts.push(svg("text", { class: "title", x: 0, y: top - 6 }, title),
               svg("text", { x: this.width, y: top - 6, "text-anchor": "end" }, highest ? unit(highest) : ""),
               svg("line", { class: "grid", x1: 0, x2: this.width, y1: top, y2: top }),
               svg("line", { class: "grid", x1: 0, x2: this.width, y1: bottom, y2: bottom }));
    const width = this.seconds / this.span * this.width;
    if (bars) {
      for (const bin of bins) {
        let y = bottom;
        for (const [source, value] of bars(bin).filter(([, value]) => value > 0)) {
          // What is there can be seen, however little it is.
          const tall = Math.max(value * scale, 1);
          y -= tall;
          const place = { x: this.x(bin.start), y: Math.max(y, top), width: Math.max(width - 1, 1), height: tall };
          parts.push(svg("rect", { class: source, ...place }));
        }
      }
      return;
    }
    let path = "", before = null;
    for (const [index, bin] of bins.entries()) {
      const value = line(bin), next = bins[index + 1];
      if (value === null) { before = null; continue; }
      const [x, y] = [this.x(bin.start + bin.seconds / 2).toFixed(1), (bottom - value * scale).toFixed(1)];
      const alone = before === null && (!next || line(next) === null);
      if (alone) parts.push(svg("circle", { class: "dot", cx: x, cy: y, r: 2.5 }));
      path += `${before === null ? "M" : "L"}${x} ${y}`;
      before = value;
    }
    parts.push(svg("path", { class: "line", d: path || "M0 0" }));
  }

  /** The place of what is being read; -1 if nothing is, or it has gone by. */
  index() { return this.at === null ? -1 : this.shown.findLastIndex((bin) => bin.start <= this.at); }

  point(event) {
    if (!this.shown) return;
    const { left, width } = this.host.getBoundingClientRect();
    this.read(this.first + (event.clientX - left) / width * this.span);
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
                    Home: -Infinity, End: Infinity };
    if (event.key === "Escape") return this.read(null);
    if (!(event.key in steps) || !this.shown) return;
    event.preventDefault();
    const last = this.shown.length - 1, from = this.at === null ? last + 1 : this.index();
    this.read(this.shown[Math.min(Math.max(from + steps[event.key], 0), last)].start);
  }

  read(at) {
    this.at = at;
    this.draw();
  }

  /** Says what was at the moment that is being read, and else what is now. */
  tell(index) {
    const last = this.shown.length - 1, bin = this.shown[index < 0 ? last : index];
    const requests = Object.entries(SOURCES).filter(([source]) => bin.requests[source])
      .map(([source, name]) => `${count(bin.requests[source])} ${name}`);
    const facts = [
      new Date(bin.start * 1000).toLocaleTimeString() + (bin.seconds > 1 ? `, ${bin.seconds} seconds` : ""),
      requests.length ? `requests: ${requests.join(", ")}` : "no requests",
      ...bin.ratio === null ? [] : [`hit ratio ${percent(bin.ratio)}`],
      ...bin.spent || bin.saved ? [`${time(bin.spent)} spent and ${time(bin.saved)} saved`] : [],
      `in memory ${plural(bin.values, "value")}, ${plural(bin.responses, "response")} in ${bytes(bin.bytes)}`,
      ...bin.invalidations ? [`invalidated here: ${bin.invalidations} ×`] : [],
      ...bin.records ? [`read from the log: ${plural(bin.records, "record")}`] : [],
    ];
    this.output.textContent = facts.join(" · ");
    const values = { valuemin: 0, valuemax: last, valuenow: index < 0 ? last : index, valuetext: facts.join(", ") };
    for (const [name, value] of Object.entries(values)) this.host.setAttribute(`aria-${name}`, value);
  }
}

function stacked(requests, seconds) {
  return Object.keys(SOURCES).map((source) => [source, (requests[source] ?? 0) / seconds]);
}

function svg(name, attributes, ...content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

