const $ = (id) => document.getElementById(id);
const say = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };

function count(number) { return number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 1 : 0 }); }
function plural(number, what) { return `${count(number)} ${what}${number === 1 ? "" : "s"}`; }
function percent(share) { return `${(100 * share).toFixed(1)} %`; }
function money(cents) { return (cents / 100).toLocaleString("en", { maximumFractionDigits: 0 }); }
function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1e6 ? `${(number / 1e3).toFixed(1)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}
function time(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  const seconds = ms / 1000;
  return seconds < 120 ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min`
    : `${Math.round(seconds / 3600)} h`;
}
/** The middle of what is known, and its mean where too little is. */
function typical(summary) {
  if (!summary?.count) return "–";
  return summary.p50_ms === null ? `${time(summary.mean_ms)} (mean of ${summary.count})` : time(summary.p50_ms);
}
function spread(summary) {
  if (!summary?.count) return "–";
  return typical(summary) + (summary.p99_ms === null ? "" : `, p99 ${time(summary.p99_ms)}`);
}

/** Text is only ever put in as text: names are what users typed. */
function element(name, content = [], className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...[content].flat());
  return made;
}
/** A path, which may be broken behind each of its parts. */
const path = (text) => text.split(/(?<=::|\/)/).flatMap((part) => [part, element("wbr")]);
const row = (...cells) => element("tr", cells.map((cell) => element("td", cell)));
const badge = (source) => element("span", [element("i", [], source), SOURCES[source]], "source");

/** Asks the service; the browser's own cache is left out, to see what the service's does. */
async function ask(path, options = {}) {
  const response = await fetch(path, { cache: "no-store", ...options });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return { body, took: took(response), source: source(response.headers.get("cache-status") ?? "") };
}
const post = (path, body) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** What the service itself needed, in milliseconds: `Server-Timing`. */
function took(response) {
  return Number(/service;dur=([\d.]+)/.exec(response.headers.get("server-timing"))?.[1]);
}
/** As `Cache-Status` tells it (RFC 9211). */
function source(status) {
  const parts = status.split("; ");
  if (parts.includes("hit")) return status.includes("ttl=-") ? "stale" : "hit";
  if (parts.includes("collapsed")) return "joined";
  return parts.some((part) => ["fwd=method", "fwd=bypass", "fwd=partial"].includes(part)) ? "passed" : "computed";
}

function showTiles(cache, { api, statements, responses }) {
  const { counters, functions } = cache;
  const reads = counters.hits + counters.stale_hits + counters.misses;
  const sum = (of) => functions.reduce((sum, each) => sum + of(each), 0);
  say("hit-ratio", reads ? percent(cache.hit_ratio) : "–");
  say("hit-ratio-of", `of ${plural(reads, "read")}, values and responses`);
  say("saved", time(sum((each) => each.time_saved_ms)));
  const spent = sum((each) => each.computing.mean_ms * each.computing.count);
  say("spent", `and ${time(spent)} spent, on ${plural(counters.computations, "computation")} and `
             + `${plural(statements, "SQL statement")}`);
  for (const name of ["hit", "computed"]) {
    const known = api[name] ?? { count: 0, p50_ms: null, p99_ms: null };
    say(`${name}-time`, known.count ? time(known.p50_ms ?? known.mean_ms) : "–");
    const what = known.p50_ms === null ? "mean" : known.p99_ms === null ? "median" : `median; p99 ${time(known.p99_ms)};`;
    say(`${name}-time-of`, known.count ? `${what} of ${plural(known.count, "response")}` : "no response yet");
  }
  say("kept", plural(cache.entries + responses.entries, "entry").replace("entrys", "entries"));
  const stored = `${plural(responses.entries, "response")} in ${bytes(responses.bytes)}`;
  say("kept-of", `${plural(cache.entries, "value")}; ${stored}`);
}

function showState({ enabled, redis }) {
  const where = !redis ? "in memory" : redis.available ? "in memory and in Redis"
    : `in memory; Redis does not answer, and others have yet to hear of ${plural(redis.waiting, "change")}`;
  say("state", enabled ? `cached ${where}` : "this process goes without the cache");
  $("switch").setAttribute("aria-pressed", String(!enabled));
}

function showTables(functions, routes) {
  const saving = functions.toSorted((one, other) => other.time_saved_ms - one.time_saved_ms);
  $("functions").replaceChildren(...saving.map(({ function: name, hit_ratio, computing, counters, time_saved_ms }) => {
    const reads = (counters.hits ?? 0) + (counters.stale_hits ?? 0) + (counters.misses ?? 0);
    // A quantile of a few says nothing: of routes, the service leaves it out.
    const [p50_ms, p99_ms] = [[20, computing.p50_ms], [100, computing.p99_ms]]
      .map(([enough, quantile]) => computing.count < enough ? null : quantile);
    return row(name ? path(name.replace("dashboard::", "")) : "HTTP responses", reads ? percent(hit_ratio) : "–",
               count(reads), count(counters.computations ?? 0), spread({ ...computing, p50_ms, p99_ms }),
               time(time_saved_ms));
  }));
  const ours = Object.entries(routes).filter(([route]) => route.startsWith("/api/v1"));
  $("routes").replaceChildren(...ours.map(([route, by]) => {
    const each = (name) => count(by[name]?.count ?? 0);
    const all = Object.values(by).reduce((sum, { count }) => sum + count, 0);
    return row(path(route), count(all), each("hit"), each("stale"), each("joined"), each("computed"),
               spread(by.hit), spread(by.computed));
  }));
}

function showDashboard({ as_of, traffic, error_rate, p95_latency, active_users, revenue, top_customers }) {
  const list = (paid) => paid.map(({ by, cents }) => `${by}: ${money(cents)}`).join(", ");
  const facts = {
    "as of": new Date(as_of).toLocaleTimeString(),
    "traffic": `${traffic.average.toFixed(0)} requests per minute, at most ${traffic.peak}`,
    "errors": percent(error_rate),
    "p95 latency": time(p95_latency),
    "active users": active_users.toLocaleString("en"),
    "revenue": list(revenue),
    "top customers": list(top_customers),
  };
  $("dashboard").replaceChildren(
    ...Object.entries(facts).flatMap(([name, fact]) => [element("dt", name), element("dd", fact)]));
}

async function load(times) {
  const answers = await Promise.all(Array.from({ length: times }, () => ask("/api/v1/dashboard")));
  const middle = (times) => times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)];
  const from = Object.keys(SOURCES).map((source) => [source, answers.filter((answer) => answer.source === source)])
    .filter(([, answers]) => answers.length);
  const told = from.map(([source, answers]) => {
    const took = middle(answers.map(({ took }) => took));
    return `${count(answers.length)} ${SOURCES[source]} in ${time(took)}${answers.length > 1 ? " (p50)" : ""}`;
  });
  say("loaded", told.join(", "));
  $("loaded-bar").replaceChildren(...from.map(([source, answers]) => {
    const part = element("i", [], source);
    part.style.flexGrow = answers.length;
    return part;
  }));
  showDashboard(answers.at(-1).body);
}

async function rename(id, name) {
  const api = "/api/v1", user = `${api}/users/${id}`;
  const pages = [user, `${api}/users/${id + 1}`, `${api}/users?page=1`, `${api}/dashboard`,
                 ...["top-customers", "revenue", "active-users", "p95-latency"].map((name) => `${api}/metrics/${name}`)];
  const askAll = () => Promise.all(pages.map((page) => ask(page)));
  const before = await askAll();
  const body = JSON.stringify({ name, country: before[0].body.country });
  await ask(user, { method: "PUT", headers: { "content-type": "application/json" }, body });
  const after = await askAll();
  const made = after.filter(({ source }) => source === "computed").length;
  say("renamed", `${made} of ${pages.length} pages were made again.`);
  $("pages").replaceChildren(...pages.map((page, index) =>
    row(path(page), badge(before[index].source), badge(after[index].source), time(after[index].took))));
}

async function invalidate(scope) {
  const asked = scope.startsWith("#") ? { tags: [scope.slice(1)] } : { scopes: [scope] };
  const { body: { outcome } } = await post("/admin/cache/invalidate", asked);
  const where = outcome === "queued" ? "here, and elsewhere when Redis is back" : "everywhere";
  say("operated", `${scope} is invalidated: ${where}.`);
}

async function toggle() {
  const off = $("switch").getAttribute("aria-pressed") !== "true";
  await post(`/admin/cache/${off ? "disable" : "enable"}`, {});
  say("operated", off ? "This process goes without the cache." : "This process uses the cache again.");
  await watch();
}

/** Runs something once at a time, and says what went wrong in its place. */
async function run(buttons, output, what) {
  const focused = document.activeElement;
  buttons.forEach((button) => { button.disabled = true; });
  await what().catch((error) => say(output, error.message));
  buttons.forEach((button) => { button.disabled = false; });
  // A button that is disabled loses the focus.
  if (document.activeElement === document.body) focused.focus();
}
function onSubmit(form, output, what) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    run([...$(form).querySelectorAll("button")], output, () => what(event));
  });
}
onSubmit("load", "loaded", (event) => load(Number(event.submitter?.value) || 1));
onSubmit("rename", "renamed", () => {
  const { id, name } = $("rename").elements;
  return rename(Number(id.value), name.value);
});
onSubmit("invalidate", "operated", () => invalidate($("invalidate").elements.scope.value.trim()));
$("switch").addEventListener("click", () => run([$("switch")], "operated", toggle));

$("legend").append(...Object.entries(SOURCES).map(([source, name]) => element("li", [element("i", [], source), name])),
                   element("li", [element("i", [], "mark"), "something was invalidated"]));
const chart = new Chart($("chart"), $("moment"));
let last = 0;

async function watch() {
  const [cache, service] = await Promise.all([ask("/admin/cache/stats"), ask(`/admin/stats?after=${last}`)]);
  showState(cache.body);
  showTiles(cache.body, service.body);
  showTables(cache.body.functions, service.body.routes);
  const { history } = service.body;
  // Of two answers that were under way at once, the second has nothing new.
  const news = history.filter((sample) => sample.at > last);
  if (news.length) {
    last = news.at(-1).at;
    chart.add(news);
  }
}
async function keepWatching() {
  await watch().catch((error) => say("state", `the service does not answer: ${error.message}`));
  setTimeout(keepWatching, 1000);
}
keepWatching();
