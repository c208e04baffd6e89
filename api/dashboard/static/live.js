// Keeps a page in step with the service. The server renders; this fetches the same page again and changes only what
// differs, so that selection, focus and scrolling stay. Ids are text throughout: a JS number would lose their digits.
"use strict";

const POLL_MS = 2000; // the list, and what no event tells (the rate, the time left)
const GATHER_MS = 400; // events come in bursts
const RETRY_MS = 5000;

const content = () => document.getElementById("content");
const skew = Date.parse(content().dataset.now) - Date.now(); // the server's clock is the one that counts

// -- one tree becomes another ------------------------------------------------------------------------------------

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || old.nodeName === "FIGURE") {
    old.replaceWith(fresh);
    return fresh;
  }
  const kept = (name) => old.nodeName === "DETAILS" && name === "open" || name === "data-drawn";
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (!("own" in old.dataset)) morphChildren(old, fresh); // what a script draws in there is not the server's
  return old;
}

function morphChildren(old, fresh) {
  const known = new Map([...old.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const match = keyOf(wanted) ? known.get(keyOf(wanted)) : sameSort(place, wanted) ? place : null;
    if (!match) {
      old.insertBefore(wanted, place);
      continue;
    }
    if (match !== place) old.insertBefore(match, place);
    place = morph(match, wanted).nextSibling;
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

const keyOf = (node) => node.dataset?.key;
const sameSort = (node, wanted) => node && node.nodeName === wanted.nodeName && !keyOf(node);

// -- fetching the page again -------------------------------------------------------------------------------------

let fetching = null;
let source = null;

function refresh() {
  fetching ??= load().finally(() => { fetching = null; });
  return fetching;
}

async function load() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.redirected) return location.reload(); // signed out
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    morph(content(), page.getElementById("content"));
    document.title = page.title;
    document.dispatchEvent(new Event("crant:fresh"));
    if (!content().dataset.job) source?.close();
  } catch {
    say("The service does not answer; trying again.");
  }
}

function say(words) {
  const place = document.querySelector(".live");
  if (place.textContent !== words) place.textContent = words;
}

// -- events of one job -------------------------------------------------------------------------------------------

let gathering = null;

function follow(id) {
  source = new EventSource(`/v1/jobs/${id}/events?after=${content().dataset.cursor}`); // resumes by itself
  source.onmessage = (message) => hear(JSON.parse(message.data));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (content().dataset.job) follow(id); }, RETRY_MS);
  };
}

function hear(event) {
  if (event.id <= Number(content().dataset.cursor)) return; // the page knows more than this already
  showCounts(event.data);
  if (event.type.startsWith("item_")) showItem(event);
  gathering ??= setTimeout(gather, GATHER_MS);
}

async function gather() {
  await fetching; // that one may have been read before this event
  await refresh();
  gathering = null;
}

function showCounts({ state, total, succeeded, failed }) {
  const counts = { total, succeeded, failed, done: succeeded + failed };
  for (const [name, count] of Object.entries(counts)) {
    const place = document.querySelector(`[data-count=${name}]`);
    if (place) place.textContent = count.toLocaleString("en");
  }
  const share = (part) => `${total ? (100 * part / total).toFixed(2) : "0.00"}%`;
  const bar = document.querySelector(".panel .bar");
  bar.querySelector(".ok").setAttribute("width", share(succeeded));
  bar.querySelector(".bad").setAttribute("x", share(succeeded));
  bar.querySelector(".bad").setAttribute("width", share(failed));
  bar.setAttribute("aria-valuenow", counts.done);
  showState(document.querySelector(".head .chip"), state);
}

function showItem({ type, data }) {
  const row = document.querySelector(`.items tr[data-key="${CSS.escape(data.key)}"]`);
  if (!row) return; // beyond the first ones
  showState(row.querySelector(".chip"), type.slice("item_".length));
  if (data.seconds !== undefined) row.querySelector("[data-seconds]").textContent = duration(data.seconds);
}

function showState(chip, state) {
  chip.dataset.state = state;
  chip.textContent = state;
}

// -- clocks, in the same words as words.py -----------------------------------------------------------------------

function ago(seconds) {
  if (seconds < 5) return "just now";
  for (const [limit, unit, name] of [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [2592000, 86400, "d"]])
    if (seconds < limit) return `${Math.floor(seconds / unit)} ${name} ago`;
  return null;
}

function duration(seconds) {
  if (seconds < 1) return `${(1000 * seconds).toFixed(0)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole % 3600 / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole % 86400 / 3600)} h`;
}

const secondsSince = (text) => Math.max(0, (Date.now() + skew - Date.parse(text)) / 1000);

function tick() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-ago]"))
    time.textContent = ago(secondsSince(time.dateTime)) ?? time.textContent;
  for (const time of document.querySelectorAll("time[data-since]"))
    time.textContent = duration(secondsSince(time.dataset.since));
}

// -- begin -------------------------------------------------------------------------------------------------------

const unfinished = () => "poll" in content().dataset || "job" in content().dataset;

setInterval(tick, 1000);
setInterval(() => { if (unfinished() && !document.hidden) refresh(); }, POLL_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
if (content().dataset.job) follow(content().dataset.job);
