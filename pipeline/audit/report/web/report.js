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
  const line = say("summary", { records: count(data.stages[0].docs_in), documents: count(last.docs_out), tokens: count(last.tokens_out) });
  const run = say("run", { run: data.run.run_id || say("unknown"), status: data.run.status || say("unknown"), version: data.version, fingerprint: data.fingerprint || say("none") });
  report.append(otherLanguage(), element("h1", {}, text(say("heading", { corpus: data.corpus }))), paragraph(line), paragraph(text(run), "soft"));
  if (data.run.status !== "done") {
    report.append(paragraph(say("unfinished"), "warning"));
  }
  if (data.sampled < 1) {
    report.append(paragraph(say("sampled", { documents: count(data.judged), share: percent(data.sampled, 1) }), "warning"));
  }
}

function otherLanguage() {
  const other = language === "en" ? "ja" : "en";
  const button = element("button", { type: "button", class: "language", lang: other }, say("other_language"));
  button.addEventListener("click", () => {
    language = other;
    show();
    report.querySelector("button.language").focus();
  });
  return button;
}

function funnel() {
  const widest = Math.max(1, data.stages[0].docs_in);
  return section("funnel", say("funnel"), table([
    { title: say("stage"), value: (stage) => stage.stage },
    { title: say("in"), value: (stage) => count(stage.docs_in), isNumber: true },
    { title: say("left"), value: (stage) => count(stage.docs_out), isNumber: true },
    { title: say("of_stage"), value: (stage) => percent(stage.docs_out, stage.docs_in), isNumber: true },
    { title: "", bar: (stage) => stage.docs_out / widest },
    { title: say("characters"), value: (stage) => count(stage.chars_out), isNumber: true },
    { title: say("tokens"), value: (stage) => count(stage.tokens_out), isNumber: true },
    { title: say("seconds"), value: (stage) => stage.seconds.toFixed(1), isNumber: true },
  ], data.stages));
}

function rules() {
  return section("rules", say("rules"), paragraph(say("rules_note"), "soft"), table([
    { title: say("stage"), value: (rule) => rule.stage },
    { title: say("rule"), value: (rule) => name(rule.rule), note: (rule) => meaning(rule.rule) },
    { title: say("threshold"), value: bounds, isNumber: true },
    { title: say("first"), value: (rule) => count(rule.first), isNumber: true },
    { title: say("of_stage"), value: (rule) => percent(rule.first, rule.documents_in), isNumber: true },
    { title: say("any"), value: (rule) => count(rule.failed), isNumber: true },
    { title: say("alone"), value: (rule) => count(rule.alone), isNumber: true },
    { title: say("tokens_first"), value: (rule) => count(rule.tokens), isNumber: true },
  ], data.rules));
}

function bounds(rule) {
  return rule.bounds.length ? rule.bounds.map(([kind, threshold]) => `${SIGNS[kind]} ${measure(threshold)}`).join(", ") : measure(rule.threshold);
}

function numbers() {
  const legend = element("p", { class: "legend soft" }, ...SERIES.map((series) => element("span", { class: series }, say(series))));
  return section("numbers", say("numbers"), paragraph(say("numbers_note"), "soft"), legend, element("div", { class: "cards" }, ...data.numbers.map(numberCard)));
}

function numberCard(number) {
  const { drawing, moveLine } = histogram(number);
  const ends = element("div", { class: "ends soft" }, element("span", {}, say("first_bar", { value: measure(number.edges[1]) })), element("span", {}, say("last_bar", { value: measure(number.edges[number.edges.length - 2]) })));
  const sliders = number.curves.map((curve, index) => slider(curve, (threshold) => moveLine(index, threshold)));
  const unknown = number.unknown ? paragraph(say("without", { documents: count(number.unknown) }), "soft") : null;
  return element("div", { class: "card" }, element("h3", {}, name(number.name)), paragraph(text(meaning(number.name)), "soft"), drawing, ends, ...sliders, unknown);
}

function slider(curve, moved) {
  const present = curve.stops.indexOf(curve.threshold);
  const input = element("input", { type: "range", min: 0, max: curve.stops.length - 1, step: 1, value: present });
  const bound = element("span", {});
  const figures = element("output", {});
  const command = element("code", {});
  const back = element("button", { type: "button" }, say("back"));
  const show = () => {
    const at = Number(input.value);
    const threshold = curve.stops[at];
    bound.textContent = `${SIGNS[curve.kind]} ${measure(threshold)}`;
    input.setAttribute("aria-valuetext", bound.textContent);
    figures.textContent = say("passing", {
      documents: count(curve.documents[at]), more_documents: change(curve.documents, at, present),
      tokens: count(curve.tokens[at]), more_tokens: change(curve.tokens, at, present),
    });
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
    const [title, note] = language === "ja" ? TABLES_JA[each.name] : [each.title, each.note];
    const columns = each.columns.map((column, index) => ({
      title: language === "ja" ? COLUMNS_JA[column] : column.replaceAll("_", " "),
      value: (row) => (typeof row[index] === "number" ? count(row[index]) : row[index] === "" ? say("empty") : row[index]),
      isNumber: each.rows.length > 0 && each.rows.every((row) => row[index] === null || typeof row[index] === "number"),
    }));
    const last = each.columns.length - 1;
    const most = Math.max(1, ...each.rows.map((row) => row[last] || 0));
    columns.push({ title: "", bar: (row) => (row[last] || 0) / most });
    const shown = each.rows.length ? table(columns, each.rows) : paragraph(say("none"), "soft");
    return [element("h3", { id: each.name }, title), note ? paragraph(note, "soft") : null, shown];
  });
  return section("tables", say("tables"), ...parts);
}

function pages() {
  const search = element("input", { type: "search", "aria-label": say("search"), placeholder: say("search") });
  const found = element("output", {});
  const shown = []; // {page, article}, with the element of its rule
  const parts = data.pages.map((each) => {
    const articles = (chosen) => chosen.map((page) => {
      const article = pageArticle(page);
      shown.push({ page, article, rule: null });
      return article;
    });
    const first = shown.length;
    const nearly = each.nearly.length ? [element("h3", {}, say("nearly")), ...articles(each.nearly)] : [];
    const title = say(nearly.length ? "of_rule_nearly" : "of_rule", { stage: each.stage, rule: name(each.rule), dropped: each.dropped.length, nearly: each.nearly.length });
    const note = meaning(each.rule);
    const rule = element("details", {}, element("summary", {}, text(title), note ? element("small", {}, text(note)) : null), element("h3", {}, say("dropped")), ...articles(each.dropped), ...nearly);
    shown.slice(first).forEach((one) => { one.rule = rule; });
    return rule;
  });
  const words = shown.map(({ page }) => [page, page.survivor || {}].flatMap((each) => [each.title, each.url, each.text, each.doc_id]).join("\n").toLowerCase());
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    const hits = shown.filter((_, index) => words[index].includes(wanted));
    shown.forEach(({ article }) => { article.hidden = true; });
    hits.forEach(({ article }) => { article.hidden = false; });
    const rulesFound = new Set(hits.map(({ rule }) => rule));
    parts.forEach((rule) => {
      rule.hidden = !rulesFound.has(rule);
      rule.open = wanted !== "" && rulesFound.has(rule);
    });
    found.textContent = wanted ? say("found", { pages: count(hits.length), all: count(shown.length) }) : "";
  });
  return section("pages", say("pages"), paragraph(say("pages_note"), "soft"), search, found, ...parts);
}

function pageArticle(each) {
  const value = each.value === null ? "" : each.threshold === null ? measure(each.value) : say("with_threshold", { value: measure(each.value), threshold: measure(each.threshold) });
  if (!each.survivor) {
    return element("article", {}, ...pageParts(each, [value, each.detail || "", each.doc_id]));
  }
  return element("article", { class: "beside" },
    element("div", {}, element("h4", {}, say("this_page")), ...pageParts(each, [value, each.doc_id])),
    element("div", {}, element("h4", {}, say("survivor")), ...pageParts(each.survivor, [each.survivor.doc_id])));
}

function pageParts(each, facts) {
  return [
    element("p", {}, element("strong", {}, text(each.title || say("no_title")))),
    element("p", { class: "soft" }, text(each.url || say("no_address"))),
    element("p", { class: "soft" }, text(facts.filter(Boolean).join(" \u00b7 "))),
    each.text ? element("p", { class: "excerpt", lang: "ja" }, text(each.text)) : null,
  ];
}

function show() {
  document.title = say("title");
  document.documentElement.lang = language;
  report.replaceChildren();
  heading();
  const contents = element("ul", {});
  report.append(element("nav", { "aria-label": say("contents") }, contents));
  const sections = [funnel(), rules(), numbers(), tables(), pages()];
  if (data.comparison) {
    sections.push(comparison(data.comparison));
  }
  contents.append(...sections.map(([id, title]) => element("li", {}, element("a", { href: "#" + id }, title))));
}

show();
