// The waiting page in a real browser: what it looks for, says, asks and obeys, with scripts and without.
//
//   node gateway/tests/browser/page.mjs
//
// Needs `npm install` in this folder and Chromium (CHROMIUM, default /usr/bin/chromium). Renders the pages with
// `cargo test` first, unless USHER_PAGES names a folder that has them. SCREENSHOTS=folder keeps a picture of each.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import axe from "axe-core";
import { chromium } from "playwright-core";

/** The longest wait for anything the page should do by itself, in milliseconds. */
const DEADLINE = 10_000;
/** The interval told in these tests, in seconds: short, so that nothing has to sleep. */
const POLL = 0.2;

const folder = process.env.USHER_PAGES ?? mkdtempSync(join(tmpdir(), "usher-pages-"));
let browser, server, base, policy, answer, asked, inside, refresh;

const json = (response, status, body, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};
const html = (response, name) => {
  const text = readFileSync(join(folder, `${name}.html`), "utf8").replace(/data-poll="\d+"/, `data-poll="${POLL}"`)
    .replace(/(http-equiv="refresh" content=)"\d+"/, `$1"${refresh}"`);
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy, "cache-control": "no-store" });
  response.end(text);
};
const position = (members = {}) => ({
  room: "concert", state: "waiting", position: 1234, line_length: 50035, estimated_wait_seconds: { p50: 420, p90: 510 },
  poll_after_seconds: POLL, joined_at: "2026-12-01T11:00:00.123Z", updated_at: "2026-12-01T11:03:21.000Z", degraded: false, ...members,
});

before(async () => {
  if (!process.env.USHER_PAGES) {
    execFileSync("cargo", ["test", "--quiet", "-p", "gateway", "--test", "it", "page::write_pages"],
      { stdio: "inherit", env: { ...process.env, USHER_PAGES: folder } });
  }
  policy = readFileSync(join(folder, "policy.txt"), "utf8");
  // The page is at /<name>?…, where a gateway would have it at the guarded address; everything else is the contract.
  server = createServer((request, response) => {
    const url = new URL(request.url, "http://local");
    asked.push({ method: request.method, url, tab: request.headers.referer && new URL(request.headers.referer).searchParams.get("tab") });
    if (url.pathname.startsWith("/_usher/concert")) return answer(request, response, url);
    if (inside) { response.writeHead(200, { "content-type": "text/html" }); return response.end("<title>Inside</title>"); }
    html(response, url.pathname.slice(1));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${server.address().port}`;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(async () => { await browser?.close(); server?.closeAllConnections(); server?.close(); });
beforeEach(() => { asked = []; inside = false; refresh = 60; answer = (request, response) => json(response, 200, position()); });

const polls = () => asked.filter(({ url }) => url.pathname === "/_usher/concert/position");
const until = async (what, condition) => {
  const end = Date.now() + DEADLINE;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `in time: ${what}`);
    await new Promise((next) => setTimeout(next, 20));
  }
};
/** A context whose tabs can be hidden by the test, and which fails on any console error or refused resource. */
const visit = async (name, options = {}, context) => {
  context ??= await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Asia/Seoul", ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("console", (message) => {
    // Chromium reports every answer of 400 and above as an error; those are part of what is tested.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) page.faults.push(message.text());
  });
  if (options.hidden) await page.addInitScript(() => { window.hiddenNow = true; });
  await page.addInitScript(() => {
    Object.defineProperty(Document.prototype, "hidden", { get: () => window.hiddenNow ?? false });
    window.setHidden = (hidden) => { window.hiddenNow = hidden; document.dispatchEvent(new Event("visibilitychange")); };
    window.spoken = [];
    addEventListener("DOMContentLoaded", () => {
      for (const id of ["status", "alert"]) {
        const region = document.getElementById(id);
        if (region) new MutationObserver(() => window.spoken.push([id, region.textContent])).observe(region, { childList: true });
      }
    });
  });
  await page.goto(`${base}/${name}`);
  return page;
};
const text = (page, id) => page.locator(`#${id}`).innerText();
const done = async (page) => {
  assert.deepEqual(page.faults, [], "no errors in the console");
  await page.context().close();
};

// Protects: everyone can use every state of the page, in both languages and colour schemes, from 320 pixels up.
test("accessible in every state, language, scheme and width", async () => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".html")).map((name) => name.slice(0, -5));
  assert.ok(names.length >= 30, "pages were rendered");
  for (const colorScheme of ["light", "dark"]) {
    answer = () => {}; // No answer: the page stays as the server wrote it.
    const page = await visit(names[0], { colorScheme, reducedMotion: "reduce" });
    for (const name of names) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.goto(`${base}/${name}`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
      assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), [], `${name} ${colorScheme}`);
      for (const width of [1280, 360, 320]) {
        await page.setViewportSize({ width, height: 740 });
        if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.${colorScheme}.${width}.png`), fullPage: true });
        const faults = await page.evaluate(() => {
          const more = [...document.querySelectorAll("details")];
          more.forEach((part) => { part.open = true; });
          const small = [...document.querySelectorAll("a,button,summary")]
            .filter((target) => target.checkVisibility() && target.getBoundingClientRect().height < 44);
          const wide = document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : [];
          const found = [...small, ...wide].map((fault) => fault.outerHTML.slice(0, 200));
          more.forEach((part) => { part.open = false; });
          return found;
        });
        assert.deepEqual(faults, [], `${name} at ${width}: targets of 44 pixels, nothing wider than the screen`);
      }
    }
    await done(page);
  }
});

// Protects: one request for the page, and not one more until the told interval has passed; nothing from elsewhere.
test("one request, and only to this host", async () => {
  const page = await visit("waiting.en");
  await until("the first poll", () => polls().length > 0);
  assert.deepEqual(asked.slice(0, 2).map(({ url }) => url.pathname), ["/waiting.en", "/_usher/concert/position"]);
  assert.ok(asked.every(({ url }) => url.pathname === "/waiting.en" || url.pathname === "/_usher/concert/position"));
  await done(page);
});

// Protects: script and server say the same about the same document.
test("script and server use the same words", async () => {
  for (const [language, waits] of [
    ["en", ["less than a minute", "about 1 minute", "1–2 minutes", "7–9 minutes", "about 8 minutes", "15–25 minutes", "60–70 minutes", "2–3 hours"]],
    ["ko", ["1분 미만", "약 1분", "1~2분", "7~9분", "약 8분", "15~25분", "60~70분", "2~3시간"]],
  ]) {
    const plain = await visit(`waiting.${language}`, { javaScriptEnabled: false });
    const ids = ["heading", "lead", "position", "people", "wait"];
    const written = await Promise.all(ids.map((id) => text(plain, id)));
    const title = await plain.title();
    await done(plain);
    const page = await visit(`waiting.${language}`, { locale: language });
    await until("an update", async () => (await page.locator("#updated").getAttribute("datetime")).includes("11:03:21"));
    assert.deepEqual(await Promise.all(ids.map((id) => text(page, id))), written);
    assert.equal(await page.title(), title);
    await done(page);

    const estimates = [[10, 59], [10, 60], [60, 61], [420, 510], [421, 480], [601, 1201], [3600, 4200], [7200, 7201]];
    for (const [index, [p50, p90]] of estimates.entries()) {
      answer = (request, response) => json(response, 200, position({ position: 5, estimated_wait_seconds: { p50, p90 } }));
      const page = await visit(`provisional.${language}`);
      await until(`${p50} to ${p90} seconds as ${waits[index]}`, async () => (await text(page, "wait")) === waits[index]);
      await done(page);
    }
    answer = (request, response) => json(response, 200, position());
  }
});

// Protects: position, title, progress and the polite region follow the answers, and `seen` tells what was shown.
test("follows the line", async () => {
  let now = position();
  answer = (request, response) => json(response, 200, now);
  const page = await visit("waiting.en");
  now = position({ position: 617, line_length: 49000, estimated_wait_seconds: { p50: 200, p90: 230 } });
  await until("the new position", async () => (await text(page, "position")) === "617");
  assert.equal(await page.title(), "617 · In line · concert");
  assert.equal(await text(page, "people"), "of 49,000 people in line");
  assert.equal(await text(page, "wait"), "about 4 minutes");
  const progress = await page.locator("#progress").evaluate((bar) => [bar.hidden, bar.value]);
  assert.ok(!progress[0] && Math.abs(progress[1] - 0.5) < 0.01, `half way: ${progress}`);
  await until("seen", () => polls().at(-1).url.searchParams.get("seen") === "617");
  now = position({ position: 7, estimated_wait_seconds: { p50: 20, p90: 50 } });
  await until("nearly", async () => (await text(page, "heading")) === "It is almost your turn");
  assert.deepEqual(await page.evaluate(() => window.spoken.at(-1)),
    ["status", "It is almost your turn. Please keep this page open. It takes you in by itself."]);
  now = position({ state: "paused", message: "Back <b>soon</b>", estimated_wait_seconds: null });
  await until("paused", async () => (await text(page, "heading")) === "The line is paused");
  assert.equal(await text(page, "words-of-organiser"), "Back <b>soon</b>");
  assert.equal(await text(page, "wait"), "Paused");
  await done(page);
});

// Protects: a number that grows says why, and a growing estimate too; without a reason nothing worse is shown.
test("never worse without a reason", async () => {
  let now = position({ position: 1300 });
  answer = (request, response) => json(response, 200, now);
  const page = await visit("waiting.en");
  await until("an answer", () => polls().length > 2);
  assert.equal(await text(page, "position"), "1,234");
  now = position({ position: 1235, moved: "returned" });
  await until("the move", async () => (await text(page, "position")) === "1,235");
  assert.match(await text(page, "note"), /came back to the place/);
  now = position({ position: 1200, estimated_wait_seconds: { p50: 900, p90: 1500 } });
  await until("the longer estimate", async () => (await text(page, "wait")) === "15–25 minutes");
  assert.match(await text(page, "note"), /more slowly than before/);
  await done(page);
});

// Protects: at the turn the page goes in by itself, to the very address the visitor asked for.
test("goes in by itself", async () => {
  answer = (request, response) => {
    inside = true;
    json(response, 200, position({ state: "admitted", position: null, ticket: "t" }));
  };
  const page = await visit("waiting.en?seat=12");
  await until("the reload", async () => (await page.title()) === "Inside");
  assert.ok(page.url().endsWith("/waiting.en?seat=12"));
  await done(page);
});

// Protects: a hidden tab never claims, says in its title that it is the turn, and claims when it is looked at.
test("a hidden tab does not claim", async () => {
  answer = (request, response, url) => {
    inside = url.searchParams.get("claim") !== "false";
    json(response, 200, position({ state: inside ? "admitted" : "called", position: null }));
  };
  const page = await visit("waiting.en", { hidden: true });
  await until("the call", async () => (await page.title()) === "Your turn · concert");
  await until("another poll", () => polls().length >= 3);
  assert.ok(polls().every(({ url }) => url.searchParams.get("claim") === "false"));
  assert.equal(await text(page, "action"), "Enter now");
  assert.deepEqual(await page.evaluate(() => window.spoken.map(([region]) => region)), ["alert"], "said once, at once");
  await page.evaluate(() => window.setHidden(false));
  await until("the reload", async () => (await page.title()) === "Inside");
  await done(page);
});

// Protects: however many tabs one visitor has, one polls; when it closes, another steps in and all show the same.
test("one tab polls for all", async () => {
  const first = await visit("waiting.en?tab=1");
  const second = await visit("waiting.en?tab=2", {}, first.context());
  await until("the second tab polls", () => polls().some(({ tab }) => tab === "2"));
  const mark = asked.length;
  await until("five more polls", () => polls().length && asked.slice(mark).length >= 5);
  assert.deepEqual([...new Set(asked.slice(mark).map(({ tab }) => tab))], ["2"], "only the tab looked at last");
  answer = (request, response) => json(response, 200, position({ position: 99 }));
  await until("both show it", async () => (await text(first, "position")) === "99" && (await text(second, "position")) === "99");
  await second.close();
  const rest = asked.length;
  await until("the first steps in", () => asked.slice(rest).some(({ tab }) => tab === "1"));
  await first.evaluate(() => window.setHidden(true));
  const third = await visit("waiting.en?tab=3", {}, first.context());
  await until("the third leads", () => polls().at(-1).tab === "3");
  await done(third);
});

// Protects: without a connection the place is not called lost; the page comes back by itself.
test("offline and back", async () => {
  const page = await visit("waiting.en");
  await until("a poll", () => polls().length > 0);
  await page.context().setOffline(true);
  await until("the note", async () => (await text(page, "note")).includes("No connection"));
  assert.equal(await text(page, "position"), "1,234");
  answer = (request, response) => json(response, 200, position({ position: 1000 }));
  await page.context().setOffline(false);
  await until("the update", async () => (await text(page, "position")) === "1,000");
  assert.equal(await page.locator("#note").isVisible(), false);
  await done(page);
});

// Protects: every refusal has its own words, and only those that pass are asked about again.
test("refusals", async () => {
  for (const [status, heading, note] of [
    [401, "We could not find your place", ""],
    [410, "Entry is closed", ""],
    [429, "You are in line", "Very many people"],
    [503, "You are in line", "not answering"],
  ]) {
    answer = (request, response) => json(response, status, { type: "about:blank" }, { "retry-after": "1" });
    asked = [];
    const page = await visit("waiting.en");
    await until(`words for ${status}`, async () => (await text(page, "heading")) === heading && (await page.locator("#note").textContent()).includes(note));
    if (note) {
      answer = (request, response) => json(response, 200, position({ position: 3 }));
      await until(`recovery from ${status}`, async () => (await text(page, "position")) === "3");
    } else {
      const count = polls().length;
      await page.evaluate(() => new Promise((next) => setTimeout(next, 600)));
      assert.equal(polls().length, count, "nothing more is asked");
    }
    await done(page);
  }
});

// Protects: a visit that is over is said to be over, with a way to join again.
test("ended", async () => {
  answer = (request, response) => json(response, 200, position({ state: "ended", position: null }));
  const page = await visit("waiting.en");
  await until("ended", async () => (await text(page, "heading")) === "Your visit is over");
  assert.equal(await text(page, "action"), "Join the line");
  await done(page);
});

// Protects: someone before a full line asks only for the room's public state, and joins when places are given again.
test("a full line", async () => {
  answer = (request, response) => json(response, 200, { state: "full" });
  const page = await visit("full.en");
  await until("the room is asked", () => asked.some(({ url }) => url.pathname === "/_usher/concert"));
  assert.equal(polls().length, 0);
  answer = (request, response) => {
    inside = true;
    json(response, 200, { state: "waiting" });
  };
  await until("it joins", async () => (await page.title()) === "Inside");
  await done(page);
});

// Protects: leaving takes two deliberate steps, works, and ends all asking, in every tab.
test("leaving", async () => {
  const page = await visit("waiting.en");
  const other = await visit("waiting.en?tab=2", {}, page.context());
  answer = (request, response) => {
    if (request.method === "POST") { response.writeHead(204); return response.end(); }
    // A slow answer to a poll that was under way when the visitor left must not bring the line back.
    setTimeout(() => json(response, 200, position()), 100);
  };
  assert.equal(await page.locator("#leave button").isVisible(), false);
  await page.locator("#leaving summary").click();
  await page.locator("#leave button").click();
  await until("left", async () => (await text(page, "heading")) === "You have left the line");
  await until("left in the other tab", async () => (await text(other, "heading")) === "You have left the line");
  assert.equal(await page.evaluate(() => document.activeElement.id), "heading");
  const count = polls().length;
  await page.evaluate(() => new Promise((next) => setTimeout(next, 600)));
  assert.equal(polls().length, count, "nothing more is asked");
  assert.deepEqual([await text(page, "heading"), await text(other, "heading")], Array(2).fill("You have left the line"));
  await done(page);
});

// Protects: without scripts the page reloads at the told interval and everything is a link or a form.
test("without scripts", async () => {
  refresh = 1;
  const page = await visit("waiting.en", { javaScriptEnabled: false });
  refresh = 60;
  await until("the reload", () => asked.filter(({ url }) => url.pathname === "/waiting.en").length >= 2);
  assert.equal(polls().length, 0);
  await until("the link to check now", () => page.locator(".again a").isVisible());
  answer = (request, response) => { html(response, "left.en"); };
  await page.locator("#leaving summary").click();
  await page.locator("#leave button").click();
  await until("the left page", async () => (await text(page, "heading")) === "You have left the line");
  assert.ok(asked.some(({ method, url }) => method === "POST" && url.pathname === "/_usher/concert/leave"));
  await done(page);
});

// Protects: the opening counts down in minutes and, at the end, in seconds, by the server's clock.
test("countdown", async () => {
  const opens = "2026-12-01T11:00:00Z";
  answer = (request, response) => json(response, 200,
    position({ state: "lobby", position: null, opens_at: opens, updated_at: "2026-12-01T10:47:30.000Z" }));
  const page = await visit("lobby.en");
  await until("minutes", async () => (await page.locator("#countdown").textContent()) === "Opens in 13 minutes");
  answer = (request, response) => json(response, 200,
    position({ state: "lobby", position: null, opens_at: opens, updated_at: "2026-12-01T10:59:30.000Z" }));
  await until("seconds", async () => /^Opens in (30|29|28) seconds$/.test(await page.locator("#countdown").textContent()));
  await done(page);
});
