"use strict";

// What came from the Web reaches the page through `text` and `element` alone: as text nodes, never as markup, address or style.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, options, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(options || {})) {
    made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function shape(tag, options) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(options)) {
    made.setAttribute(key, value);
  }
  return made;
}

function text(value) {
  // Characters that turn the direction of a line could make an address look like another.
  return String(value).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// A name of ours, which may break after an underscore where the screen is narrow.
function name(value) {
  return String(value).replaceAll("_", "_\u200b");
}

function count(value) {
  return value === null || value === undefined ? "" : Number(value).toLocaleString("en-US");
}

function percent(part, whole) {
  return part === null || !whole ? "" : (100 * part / whole).toFixed(2) + " %";
}

function measure(value) {
  if (value === null || value === undefined) {
    return "";
  }
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(5)));
}

// columns: [{title, value(row), isNumber, bar(row) in 0..1}]
function table(columns, rows) {
  const head = element("tr", {}, ...columns.map((column) => element("th", column.isNumber ? { class: "number", scope: "col" } : { scope: "col" }, column.title)));
  const body = rows.map((row) => element("tr", {}, ...columns.map((column) => cell(column, row))));
  const grid = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0" }, grid);
}

function cell(column, row) {
  if (column.bar) {
    const bar = element("span", { class: "bar" });
    bar.style.width = (100 * Math.max(0, Math.min(1, column.bar(row)))) + "%";
    return element("td", { class: "bars" }, bar);
  }
  return element("td", { class: column.isNumber ? "number" : "text" }, text(column.value(row)));
}

const SERIES = ["kept", "dropped_by_this", "dropped_by_others"];
const WIDTH = 300;
const HEIGHT = 90;

function histogram(number) {
  const totals = number.bars.kept.map((_, index) => SERIES.reduce((sum, series) => sum + number.bars[series][index], 0));
  const highest = Math.max(1, ...totals);
  const bars = totals.length;
  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "histogram of " + number.name });
  for (let index = 0; index < bars; index++) {
    let top = HEIGHT;
    for (const series of SERIES) {
      const height = HEIGHT * number.bars[series][index] / highest;
      top -= height;
      if (height > 0) {
        drawing.append(shape("rect", { class: series, x: WIDTH * index / bars, y: top, width: WIDTH / bars - 0.5, height: height }));
      }
    }
  }
  const lines = number.curves.map((curve) => {
    const line = shape("line", { class: "threshold", y1: 0, y2: HEIGHT });
    drawing.append(line);
    return line;
  });
  const moveLine = (index, threshold) => {
    const x = WIDTH * (threshold - number.low) / (number.step * bars);
    lines[index].setAttribute("x1", x);
    lines[index].setAttribute("x2", x);
  };
  number.curves.forEach((curve, index) => moveLine(index, curve.threshold));
  return { drawing, moveLine };
}
