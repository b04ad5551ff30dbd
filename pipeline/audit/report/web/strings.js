"use strict";

// All words of the page in both languages. {name} is filled in; what is filled in comes from the data and is shown as text only.

const STRINGS = {
  en: {
    title: "Where the pages went",
    other_language: "日本語",
    heading: "{corpus}: where the pages went",
    summary: "{records} records of a crawl became {documents} documents with {tokens} tokens.",
    run: "run {run}, {status}, kotokura {version}, tokens {fingerprint}",
    unknown: "unknown", none: "none", no_title: "(no title)", no_address: "(no address)", empty: "(none)",
    unfinished: "The last run did not come to its end, so figures of different stages may not fit together.",
    sampled: "Histograms, sliders and kept pages to read are of a sample of {documents} documents, {share} of all, chosen by their ids. Tables count every document.",
    contents: "contents",
    funnel: "From crawl to tokens",
    rules: "What each rule dropped",
    rules_note: "First: this rule is the first in the table that a page fails. Any: it fails this one, whatever else. Alone: it fails no other, so only this rule keeps it out.",
    numbers: "Measured numbers",
    numbers_note: "Each measured number of all extracted documents. A slider moves one bound and leaves all others; its figures are what passes the stage quality. Applying a bound is a run with --set; what the later stages would leave is told by what-if.",
    tables: "Where they come from",
    pages: "Pages to read",
    pages_note: "Of each rule a dozen pages that it was the first to drop and, of rules on measured numbers, a dozen that are kept and nearest to the threshold. Personal data are masked.",
    search: "Search these pages (title, address, text, id)",
    found: "{pages} of {all} pages", kept: "kept", dropped: "dropped", nearly: "kept, nearest to the threshold",
    of_rule: "{stage}: {rule} ({dropped} dropped)", of_rule_nearly: "{stage}: {rule} ({dropped} dropped, {nearly} nearly)",
    this_page: "dropped", survivor: "kept in its place",
    dropped_by_this: "dropped by this rule", dropped_by_others: "dropped by others only",
    histogram: "histogram of {name}", first_bar: "first bar: less than {value}", last_bar: "last bar: {value} or more",
    log_count: "documents (logarithmic)", count_axis: "documents", log_value: "{unit} (logarithmic)",
    without: "{documents} documents have no such number", back: "back",
    passing: "{documents} documents{more_documents}, {tokens} tokens{more_tokens}",
    with_threshold: "{value}, threshold {threshold}",
    stage: "stage", in: "in", left: "left", of_stage: "of stage", characters: "characters", tokens: "tokens", seconds: "seconds",
    rule: "rule", threshold: "threshold", first: "first", any: "any", alone: "alone", tokens_first: "tokens, first",
    unit_characters: "characters", unit_bytes: "bytes", unit_count: "number per document", unit_share: "share (0 to 1)", unit_flag: "0: no, 1: yes",
    comparison: "Beside another corpus", comparison_note: "A is {a}, B is {b}.",
    stages: "Stages", settings: "Settings", versions: "Versions of the code", fates: "Pages with another fate", texts: "Texts", hosts_changed: "Hosts that changed most",
    name: "name", documents: "documents", documents_a: "documents A", documents_b: "documents B", tokens_a: "tokens A", tokens_b: "tokens B",
    pages_column: "pages", in_a: "in A", in_b: "in B", more_tokens_b: "tokens more in B", more_characters_b: "characters more in B", what_differs: "what differs", host: "host",
  },
  ja: {
    title: "ページの行方",
    other_language: "English",
    heading: "{corpus}:ページの行方",
    summary: "クロールの{records}レコードから、{documents}文書、{tokens}トークンのコーパスができました。",
    run: "実行 {run}({status})、kotokura {version}、トークン列 {fingerprint}",
    unknown: "不明", none: "なし", no_title: "(タイトルなし)", no_address: "(URLなし)", empty: "(なし)",
    unfinished: "前回の実行は最後まで終わっていません。段階によって数値が食い違うことがあります。",
    sampled: "ヒストグラム、スライダー、残ったページの例は、全体の{share}にあたる{documents}文書(IDで選んだ標本)によるものです。表は全文書を数えています。",
    contents: "目次",
    funnel: "クロールからトークンまで",
    rules: "規則ごとの除外数",
    rules_note: "「最初」は、この規則に最初に反したページの数です。「該当」は、ほかの規則にかかわらずこの規則に反したページの数、「単独」は、この規則だけに反したページの数です。",
    numbers: "計測値の分布",
    numbers_note: "抽出した全文書の計測値です。スライダーは閾値を一つだけ動かし、品質の段階(quality)を通る文書数とトークン数を示します。実際に適用するには run に --set を付けて実行します。以降の段階を含む結果は what-if で調べられます。",
    tables: "ページの内訳",
    pages: "ページの例",
    pages_note: "規則ごとに、最初に除外したページを最大12件示します。計測値の規則には、残ったページのうち閾値に最も近いものも最大12件あります。個人情報は伏せてあります。",
    search: "ページを検索(タイトル・URL・本文・ID)",
    found: "{all}件中{pages}件", kept: "残った文書", dropped: "除外したページ", nearly: "閾値に近いが残ったページ",
    of_rule: "{stage}:{rule}(除外 {dropped}件)", of_rule_nearly: "{stage}:{rule}(除外 {dropped}件、閾値付近 {nearly}件)",
    this_page: "除外したページ", survivor: "代わりに残したページ",
    dropped_by_this: "この規則で除外", dropped_by_others: "ほかの規則だけで除外",
    histogram: "{name}のヒストグラム", first_bar: "左端:{value}未満", last_bar: "右端:{value}以上",
    log_count: "文書数(対数目盛)", count_axis: "文書数", log_value: "{unit}(対数目盛)",
    without: "{documents}文書にはこの値がありません", back: "元に戻す",
    passing: "{documents}文書{more_documents}、{tokens}トークン{more_tokens}",
    with_threshold: "{value}(閾値 {threshold})",
    stage: "段階", in: "入力", left: "残り", of_stage: "割合", characters: "文字数", tokens: "トークン数", seconds: "秒",
    rule: "規則", threshold: "閾値", first: "最初", any: "該当", alone: "単独", tokens_first: "トークン数(最初)",
    unit_characters: "文字", unit_bytes: "バイト", unit_count: "1文書あたりの数", unit_share: "割合(0〜1)", unit_flag: "0:含まない、1:含む",
    comparison: "別のコーパスとの比較", comparison_note: "Aは{a}、Bは{b}です。",
    stages: "段階", settings: "設定", versions: "コードの版", fates: "扱いが変わったページ", texts: "本文", hosts_changed: "変化の大きいホスト",
    name: "名前", documents: "文書数", documents_a: "文書数 A", documents_b: "文書数 B", tokens_a: "トークン数 A", tokens_b: "トークン数 B",
    pages_column: "ページ", in_a: "Aでの扱い", in_b: "Bでの扱い", more_tokens_b: "トークン数の差(B−A)", more_characters_b: "文字数の差(B−A)", what_differs: "違い", host: "ホスト",
  },
};

// The tables' own titles and notes are English and come with the data, as do the names of their columns.
const TABLES_JA = {
  hosts: ["ホスト", "抽出後の文書数と、シャードに入った文書数です。トークン数は抽出時のものです。"],
  languages: ["言語", "タイトルと本文から判定した言語です。"],
  charsets: ["文字コード", "復号に使った文字コードです。"],
  charset_sources: ["文字コードの判定の根拠", ""],
  extractors: ["抽出器", "本文を抽出した方法です。"],
  months: ["クロールの月", ""],
  clusters: ["重複クラスターの大きさ", "ほぼ同じ内容のページの集まりを、ページ数ごとに数えたものです。残した1ページも含みます。"],
  lengths: ["トークン数で見た長さ", "シャードに入った文書の長さです(区切りトークンを含む)。"],
  personal_data: ["個人情報", "伏せた箇所の種類別の数です。"],
  cleaning: ["整形", "編集の種類別の数です。"],
};
const COLUMNS_JA = {
  value: "値", extracted_documents: "抽出した文書数", kept_documents: "残った文書数", kept_tokens: "残ったトークン数",
  cluster_size: "クラスターの大きさ", clusters: "クラスター数", documents: "文書数", tokens_from: "トークン数(以上)", tokens: "トークン数",
  kind: "種類", spans: "箇所", edits: "編集数", characters_removed: "削除した文字数",
};

let language = navigator.language.startsWith("ja") ? "ja" : "en";

function say(key, values) {
  return STRINGS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// What a rule or a measured number means; own fields and added rules may have none.
function meaning(name) {
  const known = Object.hasOwn(data.meanings, name) ? data.meanings[name] : null;
  return known ? known[language] : "";
}
