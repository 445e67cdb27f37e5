(() => {
"use strict";
const el = (id) => document.getElementById(id);
const page = el("page"), data = page.dataset, room = data.room, lang = document.documentElement.lang;
const { words, parts } = JSON.parse(el("words").textContent);
const base = "/_usher/" + encodeURIComponent(room);
const number = (n) => n.toLocaleString(lang), plural = new Intl.PluralRules(lang);
const whole = (text) => (text == null ? null : Number(text));
// Phases after which this visitor has nothing left to ask for.
const over = ["admitted", "ended", "left", "expired"];
const outside = ["full", "closed"];

// Words. A word is a text, or one text for each plural form.
const say = (key, fields = {}, n) => {
  const word = words[key] ?? "";
  const text = typeof word === "string" ? word : word[plural.select(n)] ?? word.other;
  return text.replace(/\{(\w+)\}/g, (all, name) => fields[name] ?? all);
};
const span = (low, high, unit) => {
  const value = low < high ? say("range", { low: number(low), high: number(high) }) : number(high);
  const time = say(unit, { value }, high);
  return low < high ? time : say("about", { time });
};
const up = (seconds, step) => Math.ceil(seconds / step) * step;
const wait = (p50, p90) => {
  if (p90 < 60) return say("soon");
  const low = Math.ceil(p50 / 60), high = Math.ceil(p90 / 60);
  if (high > 120) return span(Math.ceil(p50 / 3600), Math.ceil(p90 / 3600), "hours");
  const step = high > 60 ? 10 : high > 10 ? 5 : 1;
  return span(up(low, step), up(high, step), "minutes");
};
const held = (seconds) => {
  const [unit, size] = seconds % 60 ? ["seconds", 1] : ["minutes", 60];
  return say(unit, { value: number(seconds / size) }, seconds / size);
};
const clock = (time, style) => new Date(time).toLocaleString(lang, style);

// What is known. `shown` are the figures on the page: they never get worse without a reason beside them.
let phase = data.phase, poll = Number(data.poll), opens = data.opens, first, spoken = 0, why = "", whyUntil = 0;
let ahead = Date.parse(data.updated) - Date.now() || 0;
let shown = { position: whole(data.position), p90: whole(data.p90), wait: "" };

const explain = (key) => { why = key; whyUntil = Date.now() + 120000; };
const note = (trouble) => {
  const key = trouble || (Date.now() < whyUntil ? why : "");
  el("note").textContent = key ? say(key) : "";
  el("note").hidden = !key;
};
const announce = (id, text) => { el(id).textContent = text; };

const progress = (doc) => {
  if (doc.position == null) return;
  const key = base + (data.joined ?? "");
  try { first = Number(sessionStorage[key] ??= doc.position); } catch { first ??= doc.position; }
  if (doc.position > first) first = doc.position;
  el("progress").value = 1 - doc.position / (first + 1);
  el("progress").hidden = first === doc.position;
};

const figures = (doc) => {
  if (doc.moved && doc.position > shown.position) explain("moved-" + doc.moved);
  else if (shown.position != null && doc.position > shown.position) doc.position = shown.position;
  const estimate = doc.estimated_wait_seconds;
  let text = say(phase === "paused" ? "title-paused" : "unknown");
  if (estimate && phase !== "paused") {
    // A slightly longer estimate is noise; a clearly longer one is said together with its reason.
    const noise = shown.wait && estimate.p90 > shown.p90 && estimate.p90 < shown.p90 * 1.15;
    text = noise ? shown.wait : wait(estimate.p50, estimate.p90);
    if (shown.wait && !noise && estimate.p90 > shown.p90 && text !== shown.wait && !doc.moved) explain("slower");
    if (!noise) shown.p90 = estimate.p90;
    shown.wait = text;
  }
  shown.position = doc.position;
  el("position").classList.toggle("wait", doc.position == null);
  el("position").textContent = doc.position == null ? say("unknown") : number(doc.position);
  el("people").textContent = doc.position == null || doc.line_length == null ? ""
    : say("people", { value: number(doc.line_length) }, doc.line_length);
  el("wait").textContent = text;
  progress(doc);
};

const phaseOf = (doc) =>
  doc.state === "waiting" && doc.position != null && doc.estimated_wait_seconds?.p90 < 120 ? "nearly" : doc.state;

const show = (doc) => {
  const before = phase;
  phase = phaseOf(doc);
  if (!parts[phase]) phase = before;
  const part = parts[phase];
  data.phase = phase;
  el("heading").textContent = say("heading-" + phase);
  el("lead").textContent = say("lead-" + phase, { time: held(Number(data.hold)) });
  opens = doc.opens_at ?? opens;
  for (const id of ["opening", "figures", "tips", "more"]) el(id).hidden = !part.includes(id) || (id === "opening" && !opens);
  if (part.includes("figures")) figures(doc);
  const label = say("action-" + phase);
  el("act").hidden = !label;
  el("action").textContent = label;
  el("message").hidden = !doc.message;
  el("words-of-organiser").textContent = doc.message ?? "";
  if (doc.updated_at) {
    ahead = Date.parse(doc.updated_at) - Date.now() || 0;
    el("updated").dateTime = doc.updated_at;
    el("updated").textContent = clock(doc.updated_at, { timeStyle: "medium" });
  }
  note(doc.held_for_seconds ? "restoring" : doc.degraded && "degraded");
  tell();
  const figure = part.includes("figures") && shown.position != null ? number(shown.position) : "";
  document.title = [figure, say("title-" + phase), room].filter(Boolean).join(" · ");
  if (phase !== before) {
    const turn = phase === "called" || phase === "admitted";
    announce(turn ? "alert" : "status", say("heading-" + phase) + ". " + el("lead").textContent);
    spoken = Date.now();
    if (document.activeElement === document.body) el("heading").focus();
    if (turn && document.hidden) notify();
  } else if (figure && Date.now() - spoken >= 60000) {
    announce("status", say("say-position", { value: figure }) + " " + say("say-wait", { time: el("wait").textContent }));
    spoken = Date.now();
  }
};

// The opening: the visitor's own time zone; minutes, and seconds only in the last minute. The server decides when it opens.
const countdown = () => {
  if (phase !== "lobby" || !opens) return;
  const moment = clock(opens, { dateStyle: "medium", timeStyle: "short" });
  if (el("opens").textContent !== moment) el("opens").textContent = moment;
  const left = Math.ceil((Date.parse(opens) - Date.now() - ahead) / 1000);
  if (!(left > 0)) { el("countdown").textContent = say("opens-now"); return; }
  const [unit, size] = left <= 60 ? ["seconds", 1] : left <= 7200 ? ["minutes", 60] : ["hours", 3600];
  const value = Math.ceil(left / size);
  el("countdown").textContent = say("opens-in", { time: say(unit, { value: number(value) }, value) });
};

// Notifications only after a press on the button; some browsers have the interface and refuse to use it.
const can = "Notification" in window && Notification.permission !== "denied";
let wanted = can && Notification.permission === "granted" && "1" === (() => { try { return localStorage.usherNotify; } catch {} })();
const tell = () => {
  el("tell").hidden = !can || !["lobby", "waiting", "nearly", "paused"].includes(phase);
  if (wanted) { el("notify").textContent = say("notify-on"); el("notify").disabled = true; }
};
const notify = () => {
  if (!wanted) return;
  try {
    const shout = new Notification(say("heading-" + phase), { body: room, tag: "usher-" + room });
    shout.onclick = () => { window.focus(); shout.close(); };
  } catch { wanted = false; el("notify").textContent = say("notify-off"); }
};
el("notify").onclick = async () => {
  wanted = (await Notification.requestPermission()) === "granted";
  try { localStorage.usherNotify = wanted ? "1" : ""; } catch {}
  if (wanted) tell();
  else { el("notify").textContent = say("notify-off"); el("notify").disabled = true; }
};

// Going in: one reload of this same address. A hidden tab waits until it is looked at.
let going = false;
const enter = () => {
  if (document.hidden || going) return;
  going = true;
  if (data.entry) location.assign(data.entry); else location.reload();
};

// Of several tabs one asks, the one looked at last; the others listen and step in when it falls silent.
const channel = "BroadcastChannel" in window ? new BroadcastChannel("usher-" + room) : null;
let leader = true, since = 0, timer, last = Date.now(), failures = 0, busy = false;
const share = (message) => channel?.postMessage(message);
const after = (seconds) => { clearTimeout(timer); timer = setTimeout(ask, seconds * 1000 * (0.8 + 0.4 * Math.random())); };
const listen = (seconds) => { clearTimeout(timer); timer = setTimeout(() => { lead(); ask(); }, seconds * 1000); };
const lead = () => { leader = true; since = Date.now() + Math.random(); share({ lead: since }); };
if (channel) channel.onmessage = ({ data: said }) => {
  if (over.includes(phase)) return;
  if (said.who && leader) share({ lead: since });
  else if (said.lead && (!leader || said.lead > since)) { leader = false; listen(2 * poll + 5); }
  else if (said.doc && !leader) { settle(said.doc); listen(2 * poll + 5); }
  else if (said.bye && !leader) listen(Math.random());
  else if (said.left) { clearTimeout(timer); show({ state: "left" }); }
};

const settle = (doc) => {
  if (doc.poll_after_seconds > 0) poll = doc.poll_after_seconds;
  show(doc);
  if (phase === "admitted") enter();
};
const stop = (state) => { clearTimeout(timer); const doc = { state }; show(doc); share({ doc }); };

// One question. A hidden tab never claims, so that nobody's visit runs in the background.
const request = (path, options) => {
  const abort = new AbortController(), limit = setTimeout(() => abort.abort(), 15000);
  return fetch(base + path, { cache: "no-store", headers: { accept: "application/json" }, signal: abort.signal, ...options })
    .finally(() => clearTimeout(limit));
};
const question = () => {
  if (outside.includes(phase)) return "";
  const fields = new URLSearchParams();
  if (document.hidden) fields.set("claim", "false");
  if (shown.position != null) fields.set("seen", shown.position);
  return "/position?" + fields;
};
const answer = async (response) => {
  // The visitor may have left while this answer was under way.
  if (over.includes(phase)) return;
  const told = Number(response.headers.get("retry-after")) || 0;
  if (response.status === 401 || response.status === 404) return stop("expired");
  if (response.status === 410) return stop("closed");
  if (!response.ok) {
    failures += 1;
    note(response.status === 429 ? "busy" : "trouble");
    return after(Math.max(told, Math.min(60, poll * 2 ** failures)));
  }
  const doc = await response.json();
  if (over.includes(phase)) return;
  failures = 0;
  if (outside.includes(phase)) {
    // The page has no place yet: ask for one only when places are given again.
    if (!outside.includes(doc.state)) return enter();
    note("");
    return after(Math.max(poll, 5));
  }
  settle(doc);
  share({ doc });
  if (!over.includes(phase)) after(poll);
};
const ask = async () => {
  if (busy || going || over.includes(phase)) return;
  busy = true;
  last = Date.now();
  const quiet = document.hidden;
  try { await answer(await request(question())); }
  catch { if (!over.includes(phase)) { failures += 1; note("offline"); after(Math.min(60, poll * 2 ** failures)); } }
  busy = false;
  if (quiet && !document.hidden) soon();
};
// Sooner than told, but within what the server allows (three times the told rate).
const soon = () => { clearTimeout(timer); timer = setTimeout(ask, Math.max(0, last + poll * 400 - Date.now())); };
const wake = () => {
  if (document.hidden || over.includes(phase)) { if (phase === "admitted") enter(); return; }
  lead();
  if (phase === "called") ask(); else soon();
};

document.addEventListener("visibilitychange", wake);
addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
addEventListener("online", () => { failures = 0; if (leader) wake(); });
addEventListener("offline", () => note("offline"));
addEventListener("pagehide", () => { if (leader) share({ bye: 1 }); });

el("leave").onsubmit = async (event) => {
  event.preventDefault();
  try {
    if (!(await request("/leave", { method: "POST" })).ok) throw 0;
    clearTimeout(timer);
    share({ left: 1 });
    show({ state: "left" });
    el("heading").focus();
  } catch { note("leave-failed"); }
};

// From here the script has what the page shows; the next answer replaces it.
if (data.p90) shown.wait = wait(Number(data.p50), Number(data.p90));
for (const id of ["updated", "joined"]) if (el(id)) el(id).textContent = clock(el(id).dateTime, { timeStyle: "medium" });
progress({ position: shown.position });
tell();
countdown();
setInterval(countdown, 1000);
if (!over.includes(phase)) {
  if (document.hidden && channel) { leader = false; share({ who: 1 }); listen(1); }
  else { lead(); after(poll); }
}
})();
