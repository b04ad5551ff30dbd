// The difference from another corpus, as `python -m pipeline diff` finds it. A is this report's corpus.

function comparison(found) {
  const size = (each, name) => (each ? count(each[name]) : say("none"));
  const changes = (title, pairs) => (Object.keys(pairs).length ? [element("h3", {}, title), table([
    { title: say("name"), value: (pair) => pair[0] },
    { title: "A", value: (pair) => JSON.stringify(pair[1][0]) },
    { title: "B", value: (pair) => JSON.stringify(pair[1][1]) },
  ], Object.entries(pairs))] : []);
  const stages = table([
    { title: say("stage"), value: (stage) => stage.stage },
    { title: say("documents_a"), value: (stage) => size(stage.a, "documents"), isNumber: true },
    { title: say("documents_b"), value: (stage) => size(stage.b, "documents"), isNumber: true },
    { title: say("tokens_a"), value: (stage) => size(stage.a, "tokens"), isNumber: true },
    { title: say("tokens_b"), value: (stage) => size(stage.b, "tokens"), isNumber: true },
  ], found.stages);
  const groups = table([
    { title: say("pages_column"), value: (group) => group.match },
    { title: say("in_a"), value: (group) => group.fate_a || "" },
    { title: say("in_b"), value: (group) => group.fate_b || "" },
    { title: say("documents"), value: (group) => count(group.size.documents), isNumber: true },
    { title: say("more_tokens_b"), value: (group) => count(group.final_tokens), isNumber: true },
  ], found.groups);
  const texts = table([
    { title: say("what_differs"), value: (change) => change.what },
    { title: say("documents"), value: (change) => count(change.documents), isNumber: true },
    { title: say("more_characters_b"), value: (change) => count(change.characters), isNumber: true },
    { title: say("more_tokens_b"), value: (change) => count(change.tokens), isNumber: true },
  ], found.texts);
  const hosts = table([
    { title: say("host"), value: (host) => host.host },
    { title: say("documents_a"), value: (host) => count(host.documents_a), isNumber: true },
    { title: say("documents_b"), value: (host) => count(host.documents_b), isNumber: true },
    { title: say("tokens_a"), value: (host) => count(host.tokens_a), isNumber: true },
    { title: say("tokens_b"), value: (host) => count(host.tokens_b), isNumber: true },
  ], found.hosts);
  const same = paragraph(say("none"), "soft");
  return section("comparison", say("comparison"),
    paragraph(text(say("comparison_note", { a: data.corpus, b: found.name }))),
    element("h3", {}, say("stages")), stages,
    ...changes(say("settings"), found.settings), ...changes(say("versions"), found.versions),
    element("h3", {}, say("fates")), found.groups.length ? groups : same,
    element("h3", {}, say("texts")), found.texts.length ? texts : same.cloneNode(true),
    element("h3", {}, say("hosts_changed")), found.hosts.length ? hosts : same.cloneNode(true));
}

