// What a page can do that paper cannot: colours, sorting and filtering of tables, a closer look at
// a picture over time. Without it the document reads the same. It loads and stores nothing.
"use strict";

function element(name, attributes, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

function button(label, action) {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", action);
  return made;
}

// -- light and dark: as the system has it, until the reader says otherwise

function offerTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const control = button("Dark colours", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  const show = () => control.setAttribute("aria-pressed", String(isDark()));
  control.className = "theme";
  system.addEventListener("change", show);
  show();
  document.querySelector("header.cover").prepend(control);
}

// -- tables

// Units by what they count in: a duration in seconds, a size in bytes.
const DURATIONS = { d: 86400, h: 3600, min: 60, s: 1 };
const SIZES = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15 };
const AMOUNT = /(\d[\d\u00a0\u202f]*(?:\.\d+)?)\s*(min|[dhs]|[kMGTP]?B)?(?![\w])/g;

// The number that a cell begins with, or null. "1 d 2 h" is one number; of "3 of 9" it is the 3.
function amount(text) {
  const negative = /^\s*[\u2212-]/.test(text);
  const start = text.search(/\d/);
  if (start < 0 || /[a-z]/i.test(text.slice(0, start))) return null;
  let total = null;
  let previous = Infinity;
  for (const [, digits, unit] of text.matchAll(AMOUNT)) {
    const value = Number(digits.replace(/[\u00a0\u202f]/g, ""));
    if (total !== null && !(DURATIONS[unit] < previous)) break;
    total = (total || 0) + value * (DURATIONS[unit] || SIZES[unit] || 1);
    previous = DURATIONS[unit] || 0;
  }
  return total !== null && negative ? -total : total;
}

const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// Cells without a value stand last in either direction.
function sorted(rows, column, kind, direction) {
  const keyed = rows.map((row) => {
    const text = row.cells[column].textContent.trim();
    return { row, key: kind === "number" ? amount(text) : text || null };
  });
  const compare = kind === "number" ? (a, b) => a - b : words.compare;
  return keyed
    .sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return direction * compare(a.key, b.key);
    })
    .map(({ row }) => row);
}

function makeSortable(table, rows) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const kind = head.className;
    const control = button(head.textContent, () => {
      const before = head.getAttribute("aria-sort");
      const next = { ascending: "descending", descending: null }[before];
      const direction = next === undefined ? "ascending" : next;
      for (const other of heads) other.removeAttribute("aria-sort");
      if (direction) head.setAttribute("aria-sort", direction);
      const sign = direction === "descending" ? -1 : 1;
      table.tBodies[0].append(...(direction ? sorted(rows, column, kind, sign) : rows));
    });
    head.replaceChildren(control);
  });
}

function makeFilterable(table, rows) {
  const name = table.caption.firstChild.textContent.trim();
  const field = element("input", {
    type: "search",
    placeholder: "Filter rows",
    "aria-label": "Filter rows of: " + name,
  });
  const status = element("span", { role: "status" });
  const apply = () => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    }
    status.textContent =
      shown === rows.length ? rows.length + " rows" : shown + " of " + rows.length + " rows shown";
  };
  field.addEventListener("input", apply);
  apply();
  table.closest(".scroll").before(element("div", { class: "tools" }, field, status));
}

// A region that has nothing to scroll is no stop on the way of the Tab key.
function watchOverflow(region) {
  const check = () => {
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  };
  new ResizeObserver(check).observe(region);
}

// -- pictures over time: stretched along the axis, while signs and words keep their form

const SVG = "http://www.w3.org/2000/svg";
const CLOSEST = 64;
const MARGIN = 6; // room for a sign at either end of the axis
const KEEPS_FORM = "text, .bad, .bubble, .dot, .alert, .form";

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Moves what lies along the axis into a drawing of its own, whose view can change.
function plotOf(svg, axis) {
  const left = axis.x1.baseVal.value - MARGIN;
  const right = axis.x2.baseVal.value + MARGIN;
  const height = svg.viewBox.baseVal.height;
  const below = axis.y1.baseVal.value + 16;
  const settings = { class: "plot", x: left, y: 0, width: right - left, height };
  const plot = shape("svg", { ...settings, preserveAspectRatio: "none" });
  for (const child of [...svg.children]) {
    if (["title", "desc", "defs"].includes(child.localName)) continue;
    const box = child.getBBox();
    if (box.x + box.width > left + 1 && box.y < below && box.x >= left - 30) plot.append(child);
  }
  svg.append(plot);
  return { plot, left, width: right - left, height };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160].map(
  (minutes) => minutes * 60000,
);

// Round instants of a zone between two, at most eight, as [instant, label].
function ticksBetween(from, to, zone) {
  const inZone = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  const day = inZone({ day: "numeric", month: "short" });
  const time = inZone({ hour: "2-digit", minute: "2-digit" });
  const name = inZone({ timeZoneName: "longOffset" }).format(from);
  const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(name) || ["", "+", "0", "0"];
  const offset = Number(sign + "1") * (Number(hours) * 60 + Number(minutes)) * 60000;
  const step = STEPS.find((size) => (to - from) / size <= 8) || (to - from) / 8;
  const found = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step) {
    const clock = time.format(at);
    found.push([at, clock === "00:00" || step >= 1440 * 60000 ? day.format(at) : clock]);
  }
  return found;
}

function centre(part) {
  if (part.localName === "text") return part.x.baseVal[0].value;
  const box = part.getBBox();
  return box.x + box.width / 2;
}

function makeZoomable(figure) {
  const svg = figure.querySelector("svg.picture");
  const axis = svg && svg.querySelector("line.axis");
  if (!axis) return;
  const { plot, left, width, height } = plotOf(svg, axis);
  const base = axis.y1.baseVal.value;
  const drawn = [...plot.children].filter(
    (child) => child.matches("line.rule") || (child.matches("text") && child.getBBox().y > base),
  );
  const ticks = document.createElementNS(SVG, "g");
  axis.before(ticks);
  const kept = [...plot.querySelectorAll(KEEPS_FORM)].map((part) => [part, centre(part)]);
  const view = { x: left, zoom: 1 };
  const start = Date.parse(figure.dataset.start);
  const end = Date.parse(figure.dataset.end);
  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: figure.dataset.zone, year: "numeric", month: "short", day: "numeric",
    hour: "2-digit", minute: "2-digit",
  });
  const scale = (end - start) / (width - 2 * MARGIN);
  const instant = (x) => Math.min(Math.max(start + (x - left - MARGIN) * scale, start), end);
  const told = (x) => clock.format(instant(x));
  const axisOf = (visible, narrow) => {
    const [from, to] = [view.x, view.x + visible].map(instant);
    return ticksBetween(from, to, figure.dataset.zone).flatMap(([at, label]) => {
      const x = left + MARGIN + (at - start) / scale;
      const line = shape("line", { x1: x, x2: x, y1: 6, y2: base, class: "rule", stroke: "#c3cbd4" });
      const text = shape("text", {
        x, y: base + 13, "font-size": 10, "text-anchor": "middle", fill: "#4a5563", class: "muted",
        transform: `matrix(${narrow} 0 0 1 ${x - x * narrow} 0)`,
      });
      text.textContent = label;
      return [line, text];
    });
  };
  const status = element("span", { role: "status" });
  const frame = figure.querySelector(".scroll");
  const name = frame.getAttribute("aria-label");
  const help = "plus and minus zoom, arrow keys move, 0 shows the whole";
  frame.setAttribute("aria-label", name + " (" + help + ")");

  const show = () => {
    const visible = width / view.zoom;
    view.x = Math.min(Math.max(view.x, left), left + width - visible);
    plot.setAttribute("viewBox", [view.x, 0, visible, height].join(" "));
    const narrow = 1 / view.zoom;
    for (const [part, x] of kept) {
      part.setAttribute("transform", `matrix(${narrow} 0 0 1 ${x - x * narrow} 0)`);
    }
    frame.classList.toggle("zoomed", view.zoom > 1);
    for (const tick of drawn) tick.setAttribute("display", view.zoom > 1 ? "none" : "inline");
    ticks.replaceChildren(...(view.zoom > 1 ? axisOf(visible, narrow) : []));
    status.textContent =
      view.zoom > 1 ? "Shown: " + told(view.x) + " to " + told(view.x + visible) : "";
    for (const [control, off] of [
      [closer, view.zoom >= CLOSEST],
      [wider, view.zoom <= 1],
      [earlier, view.x <= left],
      [later, view.x + visible >= left + width - 0.01],
      [whole, view.zoom <= 1],
    ]) {
      control.setAttribute("aria-disabled", String(off));
    }
  };
  // `share` is the place of the axis, from 0 to 1, that stays where it is.
  const zoom = (factor, share = 0.5) => {
    const before = width / view.zoom;
    view.zoom = Math.min(Math.max(view.zoom * factor, 1), CLOSEST);
    view.x += share * (before - width / view.zoom);
    show();
  };
  const move = (share) => {
    view.x += share * (width / view.zoom);
    show();
  };
  const reset = () => {
    view.zoom = 1;
    show();
  };
  const closer = button("Closer", () => zoom(2));
  const wider = button("Wider", () => zoom(0.5));
  const earlier = button("Earlier", () => move(-0.25));
  const later = button("Later", () => move(0.25));
  const whole = button("Whole", reset);
  const keys = {
    "+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(0.5), "0": reset,
    ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25),
  };
  frame.addEventListener("keydown", (event) => {
    const action = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
    if (!action) return;
    action();
    event.preventDefault();
  });

  // One pointer drags, two pinch, the wheel zooms with Ctrl: without it the page scrolls.
  const pointers = new Map();
  const shareAt = (x) => {
    const box = plot.getBoundingClientRect();
    const inner = svg.getBoundingClientRect();
    const scaled = inner.width / svg.viewBox.baseVal.width;
    return (x - inner.left - left * scaled) / (width * scaled || box.width);
  };
  frame.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event.clientX);
    if (view.zoom > 1) frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = [...pointers.values()];
    pointers.set(event.pointerId, event.clientX);
    const after = [...pointers.values()];
    if (after.length === 1) {
      if (view.zoom > 1) move(shareAt(before[0]) - shareAt(after[0]));
    } else if (after.length === 2) {
      const [was, is] = [before, after].map(([a, b]) => Math.max(Math.abs(a - b), 1));
      zoom(is / was, shareAt((after[0] + after[1]) / 2));
    }
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    frame.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    zoom(event.deltaY < 0 ? 1.25 : 0.8, shareAt(event.clientX));
    event.preventDefault();
  }, { passive: false });

  frame.before(element("div", { class: "tools" }, closer, wider, earlier, later, whole, status));
  show();
}

offerTheme();
for (const table of document.querySelectorAll("table:not(.form)")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length > 2) makeSortable(table, rows);
  if (table.classList.contains("long")) makeFilterable(table, rows);
}
for (const figure of document.querySelectorAll("figure[data-start]")) makeZoomable(figure);
for (const region of document.querySelectorAll(".scroll")) {
  if (!region.closest("[data-start]")) watchOverflow(region);
}
