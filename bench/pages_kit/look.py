"""What is to be known of a page, of a browser that looks at it."""

import difflib
import statistics

from .browser import Browser

WIDTHS = (320, 390, 1280, 1920)
THEMES = ("light", "dark")

FIRST_PAINT = """new Promise(resolve => {
  const now = () => performance.getEntriesByName('first-contentful-paint')[0];
  if (now()) { resolve(now().startTime); return; }
  new PerformanceObserver((_, observer) => { if (now()) { observer.disconnect(); resolve(now().startTime); } })
    .observe({type: 'paint', buffered: true});
  setTimeout(() => resolve(null), 5000);
})"""
# A phone makes its window as wide as what stands out: it is told how wide it is.
SCROLLS = """(width => { const e = document.scrollingElement; if (e.scrollWidth <= width) return null;
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 0.5);
  const last = wide.filter(e => ![...e.children].some(c => wide.includes(c)))[0] || wide[0];
  return e.scrollWidth + ' px' + (last ? ', by ' + last.tagName.toLowerCase() + '.' + last.className : ''); })"""
# All that can be read and done: the words in their order, and each control that is seen with the form it belongs to. `data-all`
# marks all boxes at once, which takes a script; each of them can be marked without.
SAYS = """(() => {
  const extra = [...document.querySelectorAll('[data-all]')];
  const was = extra.map(e => e.style.display); extra.forEach(e => e.style.display = 'none');
  const words = document.body.innerText.split(/\\s+/).filter(Boolean);
  const seen = e => e.type === 'hidden' || e.getClientRects().length > 0;
  const of = e => { const f = e.form; return f ? f.getAttribute('method') + ' ' + (f.getAttribute('action') || location.pathname) + ': ' : ''; };
  const controls = [...document.querySelectorAll('input, select, textarea, button, a[href], summary')]
    .filter(e => seen(e) && !e.closest('[data-all]'))
    .map(e => e.tagName === 'A' ? 'link to ' + new URL(e.href).pathname + new URL(e.href).search : of(e) + e.tagName.toLowerCase() + ' ' + (e.name || e.id || e.innerText.trim()));
  extra.forEach((e, n) => e.style.display = was[n]);
  return [words, controls];
})()"""
AXE = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(v => v.impact === 'serious' || v.impact === 'critical')
  .map(v => v.impact + ' ' + v.id + ' (' + v.nodes.length + '): ' + v.help + '; ' + v.nodes.slice(0, 2).map(n => n.target.join(' ')).join(', ')))"""


def lacks(whole, plain):
    """What is there with a script and not without, in words; a page without one may say more, such as that it can be loaded anew."""
    lost = []
    for kind, with_script, without in zip(("text", "controls"), whole, plain):
        steps = difflib.SequenceMatcher(None, with_script, without, autojunk=False).get_opcodes()
        gone = [" ".join(with_script[a:b]) for step, a, b, _, _ in steps if step in ("delete", "replace")]
        lost += [f"{kind} “{one[:120]}”" for one in gone]
    return lost


class Looker:
    """A browser that is signed in where the site is."""

    def __init__(self, site, axe=None):
        self.site, self.axe, self.browser = site, axe, Browser()
        self.zone("UTC")
        self.visit(site)

    def visit(self, site):
        """From now on pages of this one are looked at, with its session or with none."""
        self.site, self.base = site, f"http://{site.address}"
        self.browser.call("Network.clearBrowserCookies")
        if site.token:
            self.browser.call("Network.setCookie", name="betteruptime_session", value=site.token, url=self.base)

    def zone(self, name):
        """The viewer's time zone."""
        self.browser.call("Emulation.setTimezoneOverride", timezoneId=name)

    def open(self, path):
        return self.browser.open(self.base + path)

    def weight(self, path):
        """Bytes over the line and requests, of a browser that has nothing yet."""
        self.browser.size(1280)
        self.browser.call("Network.clearBrowserCache")
        events = self.open(path)
        sizes = [e["params"]["encodedDataLength"] for e in events if e["method"] == "Network.loadingFinished"]
        return int(sum(sizes)), len(sizes)

    def first_paint_ms(self, path):
        self.browser.slow(4)
        taken = []
        for _ in range(5):
            self.browser.call("Network.clearBrowserCache")
            self.open(path)
            taken.append(self.browser.evaluate(FIRST_PAINT))
        self.browser.slow(1)
        taken = [ms for ms in taken if ms is not None]
        return statistics.median(taken) if taken else None

    def wrong(self, path, is_thorough=True):
        """Where it can be scrolled sideways, what axe-core finds in both themes, what it lacks without a script. Thorough is each theme
        at both widths."""
        self.browser.theme("light")
        self.browser.size(1280)
        self.open(path)
        whole = self.browser.evaluate(SAYS)
        scrolls = []
        for width in WIDTHS:
            self.browser.size(width)
            found = self.browser.evaluate(f"{SCROLLS}({width})")
            if found:
                scrolls.append(f"can be scrolled sideways at {width} px: {found}")
        findings = []
        self.browser.evaluate(self.axe + "\n;0")
        for theme, width in (("light", 1280), ("dark", 390), ("light", 390), ("dark", 1280))[: 4 if is_thorough else 2]:
            self.browser.theme(theme)
            self.browser.size(width)
            findings += [f"{theme}, {width} px: {one}" for one in self.browser.evaluate(AXE)]
        self.browser.scripts(False)
        self.browser.size(1280)
        self.browser.theme("light")
        self.open(path)
        plain = self.browser.evaluate(SAYS)
        self.browser.scripts(True)
        lost = lacks(whole, plain) if plain[0] else ["all of it"]
        return scrolls, findings, [f"without a script it lacks {one}" for one in lost]

    def pictures(self, name, path, directory):
        for theme in THEMES:
            for width in (1280, 390):
                self.browser.theme(theme)
                self.browser.size(width)
                self.open(path)
                self.browser.picture(directory / f"{name}-{width}-{theme}.png")

    def close(self):
        self.browser.close()
