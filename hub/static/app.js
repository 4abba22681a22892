// Keeps the page current while somebody looks at it, and lets bars and drawings say what they are, by pointer or arrow keys.
// Without this script a reload does the same, and the figures stand in tables.
"use strict";
(() => {
  const SECOND = 1000;
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const said = document.getElementById("said");

  // Pages say UTC. Here an instant is said by the viewer's clocks, in the same form, and in UTC when it is pointed at.
  // All this is before the first paint, so that nothing jumps: what is only needed when somebody points at it is made then.
  const place = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = new Map(place === "UTC" ? [[0, "UTC"]] : []); // by their distance from UTC, which is another in summer
  let naming = null;
  const zoneAt = (at) => {
    const distance = at.getTimezoneOffset();
    if (!zones.has(distance)) {
      naming = naming || new Intl.DateTimeFormat("en", { timeZoneName: "short" });
      zones.set(distance, naming.formatToParts(at).find((part) => part.type === "timeZoneName").value);
    }
    return zones.get(distance);
  };
  const digits = (at) => at.toISOString().slice(0, 19).replace("T", " ");
  const byClocksHere = (at) => digits(new Date(at.getTime() - at.getTimezoneOffset() * 60 * SECOND));
  const FORMS = [[0, 19], [0, 16]];
  const sayZone = (node, zone) => {
    if (!node) return;
    if (node.nodeType === Node.TEXT_NODE && /^\s*UTC\b/.test(node.data)) node.data = node.data.replace("UTC", zone);
    else if (node.nodeType === Node.ELEMENT_NODE && node.textContent.trim() === "UTC") node.textContent = node.textContent.replace("UTC", zone);
  };
  const sayHere = (time, at) => {
    const zone = zoneAt(at);
    if (zone === "UTC" || time.dataset.zone) return;
    const text = time.firstChild;
    const said = text && text.nodeType === Node.TEXT_NODE && /^(.*?)( UTC)?$/.exec(text.data);
    // What is said in words, such as how long ago it was, stays.
    const form = said && FORMS.find(([from, to]) => digits(at).slice(from, to) === said[1]);
    if (!form) return;
    text.data = byClocksHere(at).slice(...form) + (said[2] ? " " + zone : "");
    time.dataset.zone = zone;
    sayZone(time.nextSibling, zone);
  };

  // A column says once by which clocks its times are.
  const sayColumns = (within) => {
    for (const head of within.querySelectorAll("thead th")) {
      if (!head.textContent.endsWith(", UTC")) continue;
      const cells = [...head.closest("table").querySelectorAll("tbody tr")].map((row) => row.cells[head.cellIndex]).filter(Boolean);
      const zones = new Set(cells.flatMap((cell) => [...cell.querySelectorAll("time[data-zone]")].map((time) => time.dataset.zone)));
      if (!zones.size) continue;
      const zone = zones.size === 1 ? [...zones][0] : "local";
      head.textContent = head.textContent.replace(/UTC$/, zone);
      for (const cell of cells) if (cell.dataset.l) cell.dataset.l = cell.dataset.l.replace(/, UTC$/, ", " + zone);
    }
  };

  const sayTimes = (within) => {
    for (const time of within.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!isNaN(at)) sayHere(time, at);
    }
    sayColumns(within);
  };
  let ago = null;
  document.addEventListener("pointerover", (event) => {
    const time = event.target.closest("time[datetime]");
    const at = time && new Date(time.dateTime);
    if (!at || isNaN(at)) return;
    const seconds = (at - Date.now()) / SECOND;
    const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) || ["second", 1];
    ago = ago || new Intl.RelativeTimeFormat("en", { numeric: "auto" });
    time.title = digits(at) + " UTC, " + ago.format(Math.round(seconds / length), unit);
  });
  const zone = document.getElementById("zone");
  if (zone && zoneAt(new Date()) !== "UTC") {
    zone.textContent = "Times are in " + place.replaceAll("_", " ") + ", or in UTC where it says so. Point at one to see it in UTC.";
  }

  // One box for all that is told of bars.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const hide = () => {
    tip.hidden = true;
    for (const at of document.querySelectorAll(".bars .at")) at.classList.remove("at");
    for (const cursor of document.querySelectorAll(".cursor")) cursor.remove();
  };

  // A day's bars have their words within; the steps of a drawing have theirs in the table beside it.
  const stepsOf = (svg) => {
    const figure = svg.closest("figure");
    if (!figure) {
      return [...svg.children].map((bar) => {
        const title = bar.querySelector("title");
        const text = title ? title.textContent : "";
        if (title) title.remove();
        return { text, mark: () => bar.classList.add("at") };
      });
    }
    const [first, ...heads] = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
    const zoneOf = first && first.endsWith(", UTC") ? " UTC" : "";
    const rows = figure.querySelectorAll("tbody tr");
    const box = svg.viewBox.baseVal;
    const width = Number(svg.dataset.steps);
    return Array.from({ length: Math.round(box.width / width) }, (_, n) => {
      const cells = rows[n] ? [...rows[n].cells].map((cell) => cell.textContent) : [];
      const mark = () => {
        const cursor = document.createElementNS(svg.namespaceURI, "rect");
        const place = { class: "cursor", x: n * width, width, height: box.height };
        for (const name in place) cursor.setAttribute(name, place[name]);
        svg.append(cursor);
      };
      return { text: cells.length ? cells[0] + zoneOf + "\n" + heads.map((head, i) => head + " " + cells[i + 1]).join(", ") : "", mark };
    });
  };

  const stepThrough = (svg) => {
    let known = null;
    const steps = () => (known = known || stepsOf(svg));
    let at = -1;
    const tell = (n, aloud) => {
      hide();
      at = n;
      const step = steps()[n];
      if (!step || !step.text) return;
      step.mark();
      tip.textContent = step.text;
      tip.hidden = false;
      const place = svg.getBoundingClientRect();
      const middle = place.left + ((n + 0.5) / steps().length) * place.width;
      const left = Math.min(Math.max(middle - tip.offsetWidth / 2, 4), document.documentElement.clientWidth - tip.offsetWidth - 4);
      tip.style.left = left + scrollX + "px";
      tip.style.top = place.top + scrollY - tip.offsetHeight - 6 + "px";
      if (aloud && said) said.textContent = step.text;
    };
    const under = (event) => {
      const place = svg.getBoundingClientRect();
      return Math.min(Math.max(Math.floor(((event.clientX - place.left) / place.width) * steps().length), 0), steps().length - 1);
    };
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("pointermove", (event) => tell(under(event)));
    svg.addEventListener("pointerdown", (event) => tell(under(event)));
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const last = steps().length - 1;
      const to = { ArrowLeft: at < 0 ? last : at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
      if (event.key === "Escape") hide();
      if (to === undefined) return;
      event.preventDefault();
      tell(Math.min(Math.max(to, 0), last), true);
    });
  };

  const dress = (within) => {
    sayTimes(within);
    for (const svg of within.querySelectorAll("svg[data-steps]")) stepThrough(svg);
  };
  dress(document);

  // What was just done is said once, not again after a reload.
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    history.replaceState(history.state, "", here);
  }

  // All that are shown, marked at once.
  const all = document.querySelector("[data-all]");
  if (all) {
    all.hidden = false;
    all.querySelector("input").addEventListener("change", (event) => {
      for (const box of document.querySelectorAll(".pick input")) box.checked = event.target.checked;
    });
  }

  const EVERY_MS = 5000;
  // The same while the hub says when something happened, and how long it is left alone when it would not.
  const CALM_MS = 15000;
  const REFUSED_MS = 60000;
  // While something is on its way: just after the page came (a check was asked for), or before the first look.
  const SOON_MS = 1000;
  const SOON_LOOKS = 5;
  const live = document.querySelector("[data-live]");
  if (!live) return;
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

  // How far something is that was asked for.
  const progress = () => {
    const found = live.querySelector("[data-progress]");
    return found ? found.textContent : "";
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
    const far = progress();
    const key = focusKey();
    const open = [...live.querySelectorAll("details[open] > summary[id]")].map((summary) => summary.id);
    const fresh = new DOMParser().parseFromString(html, "text/html");
    hide();
    // What somebody may be typing into stays.
    const kept = live.querySelector("[data-keep]");
    const place = fresh.querySelector("[data-keep]");
    if (kept && place) place.replaceWith(kept);
    live.replaceChildren(...fresh.body.childNodes);
    dress(live);
    for (const id of open) {
      const summary = document.getElementById(id);
      if (summary) summary.parentElement.open = true;
    }
    if (key) {
      const again = live.querySelector(key);
      // What had it is gone, such as a button that somebody else has pressed: then Tab goes on from the content's begin.
      (again || document.getElementById("main")).focus({ preventScroll: true });
    }
    const after = headline();
    if (after !== before) {
      said.textContent = after;
      document.title = after + " – BetterUptime";
    } else if (progress() !== far) {
      said.textContent = progress();
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
    const isSoon = looks < SOON_LOOKS || live.querySelector(".board .status.pending, .verdict .status.pending, .asked .status.pending");
    clearTimeout(timer);
    timer = setTimeout(next, isSoon ? SOON_MS : heard ? CALM_MS : EVERY_MS);
  };

  const next = async () => {
    if (document.visibilityState !== "visible") return;
    // Whoever reads what a bar says is not disturbed.
    if (!tip.hidden && looks >= SOON_LOOKS) return wait();
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
