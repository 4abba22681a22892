// Keeps the page current while somebody looks at it. Without this script a reload does the same.
"use strict";
(() => {
  const EVERY_MS = 5000;
  // The same while the hub says when something happened, and how long it is left alone when it would not.
  const CALM_MS = 15000;
  const REFUSED_MS = 60000;
  // While something is on its way: just after the page came (a check was asked for), or before the first look.
  const SOON_MS = 1000;
  const SOON_LOOKS = 5;
  const live = document.querySelector("[data-live]");
  if (!live) return;
  const said = document.getElementById("said");
  const stale = document.getElementById("stale");
  let etag = live.dataset.etag || "";
  let timer = 0;
  let running = false;
  let looks = 0;
  let source = null;
  let heard = false;
  let again = 0;

  const headline = () => {
    const found = live.querySelector("[data-headline]");
    return found ? found.textContent.trim() : "";
  };

  // What has the focus is found again by its link or name, since the element itself is replaced.
  const focusKey = () => {
    const at = document.activeElement;
    if (!at || !live.contains(at)) return null;
    for (const name of ["id", "href", "name"]) {
      if (at.hasAttribute(name)) return "[" + name + "=" + CSS.escape(at.getAttribute(name)) + "]";
    }
    return null;
  };

  const show = (html) => {
    const before = headline();
    const key = focusKey();
    const open = [...live.querySelectorAll("details[open] > summary[id]")].map((summary) => summary.id);
    const fresh = new DOMParser().parseFromString(html, "text/html");
    live.replaceChildren(...fresh.body.childNodes);
    for (const id of open) {
      const summary = document.getElementById(id);
      if (summary) summary.parentElement.open = true;
    }
    if (key) {
      const again = live.querySelector(key);
      if (again) again.focus({ preventScroll: true });
    }
    const after = headline();
    if (after !== before) {
      said.textContent = after;
      document.title = after + " – BetterUptime";
    }
  };

  const look = async () => {
    if (running) return;
    running = true;
    try {
      const headers = { "x-background": "1" };
      if (etag) headers["if-none-match"] = etag;
      const answer = await fetch(live.dataset.live, {
        headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(10000),
      });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 404) {
        location.reload();
        return;
      }
      if (answer.status === 200) {
        etag = answer.headers.get("etag") || "";
        show(await answer.text());
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    } finally {
      running = false;
    }
  };

  const hush = () => {
    if (source) source.close();
    source = null;
    heard = false;
  };

  // Only while somebody looks: a browser has six connections for all pages of a hub.
  const listen = () => {
    if (source || Date.now() < again) return;
    source = new EventSource("/api/v1/events");
    const happened = () => {
      clearTimeout(timer);
      timer = setTimeout(next, 50 + Math.random() * 250); // those who listen do not all ask at once
    };
    source.addEventListener("ready", () => {
      heard = true;
      happened();
    });
    for (const name of ["verdict", "incident", "reset"]) source.addEventListener(name, happened);
    source.onerror = () => {
      heard = false;
      if (source && source.readyState !== EventSource.CLOSED) return;
      again = Date.now() + REFUSED_MS;
      hush();
    };
  };

  const wait = () => {
    // A message that waits for its time is pending too, for up to a week: that is no first look.
    const isSoon = looks < SOON_LOOKS || live.querySelector(".board .status.pending, .verdict .status.pending");
    clearTimeout(timer);
    timer = setTimeout(next, isSoon ? SOON_MS : heard ? CALM_MS : EVERY_MS);
  };

  const next = async () => {
    if (document.visibilityState !== "visible") return;
    looks += 1;
    await look();
    listen();
    wait();
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState !== "visible") hush();
    next();
  });
  wait();
})();
