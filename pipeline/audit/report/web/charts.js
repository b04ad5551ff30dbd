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
  return value === null || value === undefined ? "" : Number(value).toLocaleString(language);
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

// columns: [{title, value(row), note(row), isNumber, bar(row) in 0..1}]. On narrow screens each row becomes a card, where every
// cell has its title beside it.
function table(columns, rows) {
  const head = element("tr", {}, ...columns.map((column) => element("th", column.isNumber ? { class: "number", scope: "col" } : { scope: "col" }, column.title)));
  const body = rows.map((row) => element("tr", {}, ...columns.map((column) => cell(column, row))));
  return element("div", { class: "scroll", tabindex: "0" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function cell(column, row) {
  if (column.bar) {
    const bar = element("span", { class: "bar" });
    bar.style.width = (100 * Math.max(0, Math.min(1, column.bar(row)))) + "%";
    return element("td", { class: "bars" }, bar);
  }
  const note = column.note ? column.note(row) : "";
  return element("td", { class: column.isNumber ? "number" : "text", "data-title": column.title },
    element("span", {}, text(column.value(row)), note ? element("small", {}, text(note)) : null));
}

const SERIES = ["kept", "dropped_by_this", "dropped_by_others"];
const WIDTH = 320;
const HEIGHT = 150;
const LEFT = 44; // room for the numbers of the axis of documents
const BOTTOM = 30; // and for those of the axis of values
const PLOT = { width: WIDTH - LEFT - 10, height: HEIGHT - BOTTOM - 8, top: 8 };
// A bar this many times as high as the others together leaves them invisible, so the axis becomes logarithmic.
const UNEVEN = 10;

// Round numbers from 0 or `low` to `high`, about `wanted` of them.
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) {
    found.push(Number(value.toPrecision(10)));
  }
  return found;
}

// 1, 10, 100 ..., and 2 and 5 times these if there are few.
function logarithmicTicks(low, high) {
  const decades = Math.log10(high / low);
  const factors = decades > 2.5 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    found.push(...factors.map((factor) => Number((factor * 10 ** power).toPrecision(3))).filter((value) => value >= low && value <= high));
  }
  return found;
}

function short(value) {
  return new Intl.NumberFormat(language, { notation: Math.abs(value) >= 10000 ? "compact" : "standard", maximumSignificantDigits: 3 }).format(value);
}

function label(x, y, anchor, content) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = content;
  return made;
}

function histogram(number) {
  const totals = number.bars.kept.map((_, index) => SERIES.reduce((sum, series) => sum + number.bars[series][index], 0));
  const highest = Math.max(1, ...totals);
  const others = totals.filter((total) => total > 0).reduce((sum, total) => sum + total, 0) - highest;
  const isUneven = others > 0 && highest > UNEVEN * others / Math.max(1, totals.filter((total) => total > 0).length - 1);
  const share = (total) => (isUneven ? Math.log1p(total) / Math.log1p(highest) : total / highest);
  const bars = totals.length;
  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": say("histogram", { name: number.name }) });
  const bottom = PLOT.top + PLOT.height;
  const place = (value) => {
    const edges = number.edges;
    let at = edges.findIndex((edge) => edge > value) - 1;
    at = value >= edges[bars] ? bars : Math.max(0, at);
    const inside = at < bars ? Math.max(0, (value - edges[at]) / (edges[at + 1] - edges[at])) : 0;
    return LEFT + PLOT.width * (at + inside) / bars;
  };
  const documents = isUneven ? [0, ...logarithmicTicks(1, highest)] : ticks(0, highest, 3).filter(Number.isInteger);
  for (const value of documents) {
    const y = bottom - PLOT.height * share(value);
    drawing.append(shape("line", { class: "grid", x1: LEFT, x2: LEFT + PLOT.width, y1: y, y2: y }), label(LEFT - 4, y + 3.5, "end", short(value)));
  }
  for (let index = 0; index < bars; index++) {
    let top = bottom;
    for (const series of SERIES) {
      const height = totals[index] ? PLOT.height * share(totals[index]) * number.bars[series][index] / totals[index] : 0;
      top -= height;
      if (height > 0) {
        drawing.append(shape("rect", { class: series, x: LEFT + PLOT.width * index / bars, y: top, width: PLOT.width / bars - 0.5, height }));
      }
    }
  }
  drawing.append(shape("line", { class: "axis", x1: LEFT, x2: LEFT + PLOT.width, y1: bottom, y2: bottom }));
  const low = number.edges[0];
  const high = number.edges[bars];
  let free = -Infinity;
  for (const value of number.is_logarithmic ? logarithmicTicks(low, high) : ticks(low, high, 4)) {
    const x = place(value);
    if (x >= free) {
      drawing.append(shape("line", { class: "axis", x1: x, x2: x, y1: bottom, y2: bottom + 4 }), label(x, bottom + 14, "middle", short(value)));
      free = x + 34; // as wide as a label
    }
  }
  const unit = say("unit_" + number.unit);
  drawing.append(label(LEFT + PLOT.width, HEIGHT - 3, "end", number.is_logarithmic ? say("log_value", { unit }) : unit));
  drawing.append(label(2, HEIGHT - 3, "start", say(isUneven ? "log_count" : "count_axis")));
  const lines = number.curves.map((_) => shape("line", { class: "threshold", y1: PLOT.top - 4, y2: bottom }));
  drawing.append(...lines);
  const moveLine = (index, threshold) => {
    const x = place(threshold);
    lines[index].setAttribute("x1", x);
    lines[index].setAttribute("x2", x);
  };
  number.curves.forEach((curve, index) => moveLine(index, curve.threshold));
  return { drawing, moveLine };
}
