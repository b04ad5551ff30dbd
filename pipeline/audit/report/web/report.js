const data = JSON.parse(document.getElementById("data").textContent);
const report = document.getElementById("report");
const SIGNS = { minimum: "≥", above: ">", maximum: "≤", below: "<" };

function section(id, title, ...children) {
  report.append(element("section", { id: id, "aria-label": title }, element("h2", {}, title), ...children));
  return [id, title];
}

function paragraph(content, kind) {
  return element("p", kind ? { class: kind } : {}, content);
}

function ofStage(name) {
  return data.stages.find((stage) => stage.stage === name);
}

function heading() {
  const last = data.stages[data.stages.length - 1];
  const line = `${count(data.stages[0].docs_in)} records of a crawl became ${count(last.docs_out)} documents with ${count(last.tokens_out)} tokens.`;
  const run = `run ${data.run.run_id || "unknown"}, ${data.run.status || "unknown"}, kotokura ${data.version}, tokens ${data.fingerprint || "none"}`;
  report.append(element("h1", {}, text(data.corpus) + ": where the pages went"), paragraph(line), paragraph(text(run), "soft"));
  if (data.run.status !== "done") {
    report.append(paragraph("The last run did not come to its end, so figures of different stages may not fit together.", "warning"));
  }
  if (data.sampled < 1) {
    report.append(paragraph(`Histograms, sliders and kept pages to read are of a sample of ${count(data.judged)} documents, ${(100 * data.sampled).toFixed(2)} % of all, chosen by their ids. Tables count every document.`, "warning"));
  }
}

function funnel() {
  const widest = Math.max(1, data.stages[0].docs_in);
  return section("funnel", "From crawl to tokens", table([
    { title: "stage", value: (stage) => stage.stage },
    { title: "in", value: (stage) => count(stage.docs_in), isNumber: true },
    { title: "left", value: (stage) => count(stage.docs_out), isNumber: true },
    { title: "of stage", value: (stage) => percent(stage.docs_out, stage.docs_in), isNumber: true },
    { title: "", bar: (stage) => stage.docs_out / widest },
    { title: "characters", value: (stage) => count(stage.chars_out), isNumber: true },
    { title: "tokens", value: (stage) => count(stage.tokens_out), isNumber: true },
    { title: "seconds", value: (stage) => stage.seconds.toFixed(1), isNumber: true },
  ], data.stages));
}

function rules() {
  const note = "First: this rule is the first in the table that a page fails. Any: it fails this one, whatever else. Alone: it fails no other, so only this rule keeps it out.";
  return section("rules", "What each rule dropped", paragraph(note, "soft"), table([
    { title: "stage", value: (rule) => rule.stage },
    { title: "rule", value: (rule) => name(rule.rule) },
    { title: "threshold", value: (rule) => measure(rule.threshold), isNumber: true },
    { title: "first", value: (rule) => count(rule.first), isNumber: true },
    { title: "of stage", value: (rule) => percent(rule.first, rule.documents_in), isNumber: true },
    { title: "any", value: (rule) => count(rule.failed), isNumber: true },
    { title: "alone", value: (rule) => count(rule.alone), isNumber: true },
    { title: "tokens, first", value: (rule) => count(rule.tokens), isNumber: true },
  ], data.rules));
}

function numbers() {
  const note = "Each measured number of all extracted documents. A slider moves one bound and leaves all others; its figures are what passes the stage quality. Applying a bound is a run with --set; what the later stages would leave is told by what-if.";
  const legend = element("p", { class: "legend soft" }, element("span", { class: "kept" }, "kept"), element("span", { class: "dropped_by_this" }, "dropped by this rule"), element("span", { class: "dropped_by_others" }, "dropped by others only"));
  return section("numbers", "Measured numbers", paragraph(note, "soft"), legend, element("div", { class: "cards" }, ...data.numbers.map(numberCard)));
}

function numberCard(number) {
  const { drawing, moveLine } = histogram(number);
  const ends = element("div", { class: "ends soft" }, element("span", {}, `${measure(number.low)} or less`), element("span", {}, `${measure(number.low + number.step * number.bars.kept.length)} or more`));
  const sliders = number.curves.map((curve, index) => slider(curve, (threshold) => moveLine(index, threshold)));
  const unknown = number.unknown ? paragraph(`${count(number.unknown)} documents have no such number`, "soft") : null;
  return element("div", { class: "card" }, element("h3", {}, name(number.name)), drawing, ends, ...sliders, unknown);
}

function slider(curve, moved) {
  const present = curve.stops.indexOf(curve.threshold);
  const input = element("input", { type: "range", min: 0, max: curve.stops.length - 1, step: 1, value: present });
  const bound = element("span", {});
  const figures = element("output", {});
  const command = element("code", {});
  const back = element("button", { type: "button" }, "back");
  const show = () => {
    const at = Number(input.value);
    const threshold = curve.stops[at];
    bound.textContent = `${SIGNS[curve.kind]} ${measure(threshold)}`;
    input.setAttribute("aria-valuetext", bound.textContent);
    figures.textContent = `${count(curve.documents[at])} documents${change(curve.documents, at, present)}, ${count(curve.tokens[at])} tokens${change(curve.tokens, at, present)}`;
    command.textContent = at === present ? "" : `--set ${curve.key}=${threshold}`;
    back.hidden = at === present;
    moved(threshold);
  };
  input.addEventListener("input", show);
  back.addEventListener("click", () => {
    input.value = present;
    show();
    input.focus();
  });
  show();
  return element("div", {}, element("label", {}, bound, input), figures, command, " ", back);
}

function change(values, at, present) {
  const difference = values[at] - values[present];
  return difference === 0 ? "" : ` (${difference > 0 ? "+" : "−"}${count(Math.abs(difference))})`;
}

function tables() {
  const parts = data.tables.flatMap((each) => {
    const columns = each.columns.map((title, index) => ({
      title: title.replaceAll("_", " "),
      value: (row) => (typeof row[index] === "number" ? count(row[index]) : row[index] === "" ? "(none)" : row[index]),
      isNumber: each.rows.length > 0 && each.rows.every((row) => row[index] === null || typeof row[index] === "number"),
    }));
    const last = each.columns.length - 1;
    const most = Math.max(1, ...each.rows.map((row) => row[last] || 0));
    columns.push({ title: "", bar: (row) => (row[last] || 0) / most });
    const shown = each.rows.length ? table(columns, each.rows) : paragraph("none", "soft");
    return [element("h3", { id: each.name }, each.title), each.note ? paragraph(each.note, "soft") : null, shown];
  });
  return section("tables", "Where they come from", ...parts);
}

function pages() {
  const note = "Of each rule a dozen pages that it was the first to drop and, of rules on measured numbers, a dozen that are kept and nearest to the threshold. Personal data are masked.";
  const parts = data.pages.map((each) => {
    const nearly = each.nearly.length ? [element("h3", {}, "kept, nearest to the threshold"), ...each.nearly.map(page)] : [];
    const title = `${each.stage}: ${name(each.rule)} (${each.dropped.length} dropped${each.nearly.length ? `, ${each.nearly.length} nearly` : ""})`;
    return element("details", {}, element("summary", {}, text(title)), element("h3", {}, "dropped"), ...each.dropped.map(page), ...nearly);
  });
  return section("pages", "Pages to read", paragraph(note, "soft"), ...parts);
}

function page(each) {
  const value = each.value === null ? "" : each.threshold === null ? measure(each.value) : `${measure(each.value)}, threshold ${measure(each.threshold)}`;
  return element("article", {},
    element("p", {}, element("strong", {}, text(each.title || "(no title)"))),
    element("p", { class: "soft" }, text(each.url || "(no address)")),
    element("p", { class: "soft" }, text([value, each.detail || "", each.doc_id].filter(Boolean).join(" · "))),
    each.text ? element("p", { class: "excerpt" }, text(each.text)) : null);
}

heading();
const contents = element("ul", {});
report.append(element("nav", { "aria-label": "contents" }, contents));
const sections = [funnel(), rules(), numbers(), tables(), pages()];
if (data.comparison) {
  sections.push(comparison(data.comparison));
}
contents.append(...sections.map(([id, title]) => element("li", {}, element("a", { href: "#" + id }, title))));
