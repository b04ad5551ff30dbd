// The difference from another corpus, as `python -m pipeline diff` finds it. A is this report's corpus.

function comparison(found) {
  const size = (each, name) => (each ? count(each[name]) : "none");
  const changes = (title, pairs) => (Object.keys(pairs).length ? [element("h3", {}, title), table([
    { title: "name", value: (pair) => pair[0] },
    { title: "A", value: (pair) => JSON.stringify(pair[1][0]) },
    { title: "B", value: (pair) => JSON.stringify(pair[1][1]) },
  ], Object.entries(pairs))] : []);
  const stages = table([
    { title: "stage", value: (stage) => stage.stage },
    { title: "documents A", value: (stage) => size(stage.a, "documents"), isNumber: true },
    { title: "documents B", value: (stage) => size(stage.b, "documents"), isNumber: true },
    { title: "tokens A", value: (stage) => size(stage.a, "tokens"), isNumber: true },
    { title: "tokens B", value: (stage) => size(stage.b, "tokens"), isNumber: true },
  ], found.stages);
  const groups = table([
    { title: "pages", value: (group) => group.match },
    { title: "in A", value: (group) => group.fate_a || "" },
    { title: "in B", value: (group) => group.fate_b || "" },
    { title: "documents", value: (group) => count(group.size.documents), isNumber: true },
    { title: "tokens more in B", value: (group) => count(group.final_tokens), isNumber: true },
  ], found.groups);
  const texts = table([
    { title: "what differs", value: (change) => change.what },
    { title: "documents", value: (change) => count(change.documents), isNumber: true },
    { title: "characters more in B", value: (change) => count(change.characters), isNumber: true },
    { title: "tokens more in B", value: (change) => count(change.tokens), isNumber: true },
  ], found.texts);
  const hosts = table([
    { title: "host", value: (host) => host.host },
    { title: "documents A", value: (host) => count(host.documents_a), isNumber: true },
    { title: "documents B", value: (host) => count(host.documents_b), isNumber: true },
    { title: "tokens A", value: (host) => count(host.tokens_a), isNumber: true },
    { title: "tokens B", value: (host) => count(host.tokens_b), isNumber: true },
  ], found.hosts);
  const same = paragraph("none", "soft");
  return section("comparison", "Beside another corpus",
    paragraph(text(`A is ${data.corpus}, B is ${found.name}.`)),
    element("h3", {}, "Stages"), stages,
    ...changes("Settings", found.settings), ...changes("Versions of the code", found.versions),
    element("h3", {}, "Pages with another fate"), found.groups.length ? groups : same,
    element("h3", {}, "Texts"), found.texts.length ? texts : same.cloneNode(true),
    element("h3", {}, "Hosts that changed most"), found.hosts.length ? hosts : same.cloneNode(true));
}

