"""A person who fills in forms in a browser that runs no script of pages. What is typed is set from outside; what is sent is what the
browser makes of the form."""

import json
import time
from urllib.parse import urlsplit

from .site import UUID

FILL = """((form, fields, button) => {
  const f = [...document.querySelectorAll(form)].find(f => f.closest('details') || [...f.elements].some(e => e.getClientRects().length));
  if (!f) return 'there is no form ' + form;
  for (let d = f.closest('details'); d; d = d.parentElement.closest('details')) d.open = true;
  for (const [name, value] of Object.entries(fields)) {
    const all = [...f.elements].filter(e => e.name === name && e.type !== 'hidden');
    const e = all.find(e => !['radio', 'checkbox'].includes(e.type) || e.value === value) || null;
    if (!e) return 'there is no field ' + name + ' for ' + value;
    for (let d = e.closest('details'); d; d = d.parentElement.closest('details')) d.open = true;
    if (['radio', 'checkbox'].includes(e.type)) { if (!e.checked) e.click(); }
    else if (e.tagName === 'SELECT') {
      const option = value === '*' ? [...e.options].find(o => o.value) : [...e.options].find(o => o.value === value);
      if (!option) return name + ' cannot be ' + value; option.selected = true;
    } else e.value = value;
    if (!e.getClientRects().length) return name + ' is not to be seen';
  }
  const b = button ? [...f.elements].find(e => e.matches(button)) : [...f.elements].find(e => e.type === 'submit');
  if (!b) return 'there is no button ' + button;
  if (!b.formNoValidate && !f.checkValidity()) return 'the browser would not send it: ' + [...f.elements].filter(e => !e.checkValidity()).map(e => e.name + ': ' + e.validationMessage);
  b.click();
  return null;
})"""


class Trouble(Exception):
    """A form that does not do what it is for."""


class Filler:
    def __init__(self, browser, address):
        self.browser, self.base, self.sent = browser, f"http://{address}", []
        browser.size(1280)
        browser.scripts(False)

    @property
    def path(self):
        return urlsplit(self.browser.evaluate("location.href")).path

    def text(self):
        return self.browser.evaluate("document.body.innerText")

    def go(self, path):
        self._note(self.browser.open(path if path.startswith("http") else self.base + path))

    def follow(self, link):
        """A link of the page, by its selector."""
        path = self.browser.evaluate(f"(document.querySelector({json.dumps(link)}) || {{}}).href || ''")
        if not path:
            raise Trouble(f"{self.path}: there is no link {link}; there is: {self.text()}")
        self.go(path)

    def send(self, form="main form", fields=None, button=None, sees=None, says=None):
        """Fills it in, sends it, and looks at what comes: something by its selector, or words."""
        was = self.path
        self.browser.events.clear()
        wrong = self.browser.evaluate(f"{FILL}({json.dumps(form)}, {json.dumps(fields or {})}, {json.dumps(button)})")
        if wrong:
            raise Trouble(f"{was}: {wrong}")
        seen = []
        while not any(event["method"] == "Page.loadEventFired" for event in seen):
            self.browser.wait_for_any(seen)
        self._note(seen)
        self.expect(sees, says, f"after {was} {form}")

    def expect(self, sees=None, says=None, when=""):
        if sees and not self.browser.evaluate(f"!!document.querySelector({json.dumps(sees)})"):
            raise Trouble(f"{self.path} {when}: there is no {sees}; there is: {self.text()}")
        if says and says not in self.text():
            raise Trouble(f"{self.path} {when}: does not say “{says}”: {self.text()}")

    def reload_until(self, sees, within_s=20):
        until = time.monotonic() + within_s
        while not self.browser.evaluate(f"!!document.querySelector({json.dumps(sees)})"):
            if time.monotonic() > until:
                raise Trouble(f"{self.path}: waited {within_s} s for {sees}; there is: {self.text()}")
            time.sleep(0.3)
            self.go(self.browser.evaluate("location.href"))

    def _note(self, events):
        """What was sent, and taken: whatever the browser has posted and was led on from, or shown."""
        for event in events:
            request = event["params"].get("request", {})
            if event["method"] == "Network.requestWillBeSent" and request.get("method") == "POST":
                self.sent.append(UUID.sub(":id", urlsplit(request["url"]).path))
            if event["method"] == "Network.responseReceived" and event["params"]["type"] == "Document":
                answer = event["params"]["response"]
                if answer["status"] >= 400:
                    raise Trouble(f"{answer['url']}: status {answer['status']}: {self.text()}")
