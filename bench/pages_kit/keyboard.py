"""A person who has a keyboard and nothing else. Pages are read by script, never touched by it: what happens, happens by keys."""

import json
import time

KEYS = {
    "Tab": (9, None), "Enter": (13, "\r"), " ": (32, " "), "ArrowDown": (40, None), "ArrowUp": (38, None),
    "Home": (36, None), "End": (35, None), "Escape": (27, None),
}
SHIFT = 8
SOON_S = 20

# What has the focus: how it shows that, and whether something lies over it. A box that is not drawn itself may show it by its label.
FOCUSED = """(() => {
  const e = document.activeElement;
  if (!e || e === document.body || e === document.documentElement) return null;
  const clear = c => /^rgba\\(.*, 0\\)$|^transparent$/.test(c);
  const shows = e => { const s = getComputedStyle(e);
    return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 && !clear(s.outlineColor) || s.boxShadow.includes('0px 0px 0px'); };
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (let p = e.parentElement; p; p = p.parentElement) { const c = getComputedStyle(p).backgroundColor; if (!clear(c)) return c; }
    return 'rgb(255, 255, 255)'; };
  const seen = [e, ...(e.labels || [])].find(shows) || null;
  let contrast = null;
  if (seen && getComputedStyle(seen).outlineStyle !== 'none') {
    const [a, b] = [light(getComputedStyle(seen).outlineColor), light(ground(seen))].sort((x, y) => y - x);
    contrast = (a + .05) / (b + .05);
  }
  const box = (seen || e).getBoundingClientRect();
  const inside = box.width > 1 && box.height > 1 && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
  const places = [[.5, .5], [.1, .5], [.9, .5], [.5, .1], [.5, .9]].map(([x, y]) => [box.left + box.width * x, box.top + box.height * y])
    .filter(([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight);
  const over = places.map(([x, y]) => document.elementFromPoint(x, y)).filter(o => o && !(seen || e).contains(o) && !o.contains(e));
  const words = (e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].innerText) || e.innerText || e.value || '').trim();
  return { what: e.tagName.toLowerCase() + (e.id ? '#' + e.id : e.name ? '[name=' + e.name + ']' : ''), words: words.replace(/\\s+/g, ' ').slice(0, 40),
    shows: !!seen, contrast, inside, covered: places.length > 0 && over.length === places.length, id: e.id };
})()"""


class Trouble(Exception):
    """What a person with a keyboard cannot do here."""


class Person:
    def __init__(self, browser, most_tabs=40):
        self.browser, self.most_tabs = browser, most_tabs
        self.tabs, self.most, self.steps, self.seen, self.wrong = 0, 0, [], 0, []
        # As of a window that is in front: only there is anything focused.
        browser.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def press(self, key, modifiers=0):
        code, text = KEYS.get(key) or (ord(key.upper()) if key.isalnum() else 0, key)
        code_name = "Space" if key == " " else key
        common = dict(key=key, code=code_name, windowsVirtualKeyCode=code, nativeVirtualKeyCode=code, modifiers=modifiers)
        if text:
            self.browser.call("Input.dispatchKeyEvent", type="keyDown", text=text, unmodifiedText=text, **common)
        else:
            self.browser.call("Input.dispatchKeyEvent", type="rawKeyDown", **common)
        self.browser.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        for letter in text:
            self.press(letter)

    def ask(self, expression):
        """Between two pages there is nobody to answer."""
        try:
            return self.browser.evaluate(expression)
        except RuntimeError:
            return None

    def place(self):
        return self.ask("location.pathname")

    def is_at(self, selector):
        return bool(self.ask(f"document.activeElement.matches({json.dumps(selector)})"))

    def tab(self, back=False):
        self.press("Tab", SHIFT if back else 0)
        self.tabs += 1
        self.judge()

    def judge(self):
        """Whoever sees the page knows where the focus is."""
        found = self.ask(FOCUSED)
        if found is None:
            return
        self.seen += 1
        name = f"{self.place()}: {found['what']} “{found['words']}”"
        if not found["shows"]:
            self.wrong.append(f"{name} does not show that it has the focus")
        elif found["contrast"] is not None and found["contrast"] < 3:
            self.wrong.append(f"{name} shows the focus by a line of {found['contrast']:.1f} : 1")
        if not found["inside"]:
            self.wrong.append(f"{name} has the focus and is out of sight")
        elif found["covered"]:
            self.wrong.append(f"{name} has the focus and is covered")

    def tab_to(self, selector, back=False):
        """Tab until it has the focus. Each way there counts by itself."""
        self.tabs = 0
        while not self.is_at(selector):
            if self.tabs >= self.most_tabs:
                raise Trouble(f"{self.place()}: {self.tabs} times Tab do not lead to {selector}")
            self.tab(back)
        self.most = max(self.most, self.tabs)
        self.steps.append((self.place(), selector, self.tabs))

    def enter(self, selector):
        self.tab_to(selector)
        self.press("Enter")

    def skip(self):
        """Over the links that all pages have: the first thing that Tab finds on a page that is new."""
        # A form without an action keeps the address, and so does what it leads to: one is in the content already.
        is_there = self.ask("location.hash") == "#main"
        self.tabs = 0
        self.tab()
        if is_there:
            if not self.ask("document.getElementById('main').contains(document.activeElement)"):
                raise Trouble(f"{self.place()}#main: the first Tab is at {self.ask(FOCUSED)}")
            return
        if not self.is_at("a.skip"):
            raise Trouble(f"{self.place()}: the first Tab does not find the link to the content, but {self.ask(FOCUSED)}")
        self.press("Enter")
        self.wait("document.activeElement.id === 'main' || location.hash === '#main'", "the content to have the focus")
        self.tab()
        if not self.ask("document.getElementById('main').contains(document.activeElement)"):
            raise Trouble(f"{self.place()}: after the link to the content Tab is at {self.ask(FOCUSED)}")

    def wait(self, expression, what, reload=False, within_s=SOON_S):
        """Until that holds. Without a script a page is loaded anew, as F5 does."""
        until = time.monotonic() + within_s
        while not self.ask(expression):
            if time.monotonic() > until:
                raise Trouble(f"{self.place()}: waited {within_s} s for {what}; there is: {self.ask('document.body.innerText')}")
            time.sleep(0.5 if reload else 0.05)
            if reload and not self.ask(expression):
                self.browser.call("Page.reload")
                time.sleep(0.3)

    def sees(self, selector, reload=False, within_s=SOON_S):
        ready = "document.readyState === 'complete'"
        self.wait(f"{ready} && !!document.querySelector({json.dumps(selector)})", selector, reload, within_s)
