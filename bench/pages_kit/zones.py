"""Whether pages say times by the viewer's clocks, judged by the system's own table of zones."""

import datetime
import html
import re
import zoneinfo

# One that is half an hour off, and one whose clocks are changed within the demo's ninety days.
ZONES = ("Asia/Kolkata", "America/New_York")
TIME = re.compile(r'<time[^>]* datetime="([^"]+)"[^>]*>([^<]*)</time>(?=(.{0,60}))', re.S)
# It is pointed at, which is when its title is made.
TIMES = """[...document.querySelectorAll('time[datetime]')].map(t => [t.dispatchEvent(new PointerEvent('pointerover', {bubbles: true})) && t.dateTime, t.textContent, t.title,
  t.nextSibling ? t.nextSibling.textContent.slice(0, 40) : ''])"""
HEADS = """[...document.querySelectorAll('thead th')].filter(h => /, UTC$/.test(h.textContent)
  && [...h.closest('table').querySelectorAll('tbody tr')].some(r => r.cells[h.cellIndex] && r.cells[h.cellIndex].querySelector('time[data-zone]')))
  .map(h => h.textContent)"""
SAYS_UTC = re.compile(r"^\s*(?:<[^>]*>)?\s*UTC\b")


def here(machine, words, zone):
    """What a page is to say of an instant it says so in UTC; `None`: it says it in words."""
    at = datetime.datetime.strptime(machine, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        if words == at.strftime(form):
            return at.astimezone(zone).strftime(form), at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return None


def wrong(looker, path, name):
    """What of a page's times is not that zone's."""
    zone, found = zoneinfo.ZoneInfo(name), []
    _, _, body = looker.site.ask("GET", path)
    sent = [(machine, html.unescape(words).strip(), after) for machine, words, after in TIME.findall(body)]
    looker.zone(name)
    try:
        looker.open(path)
        shown = looker.browser.evaluate(TIMES)
        heads = looker.browser.evaluate(HEADS)
    finally:
        looker.zone("UTC")
    if [machine for machine, _, _ in sent] != [machine for machine, _, _, _ in shown]:
        return [f"{name}: it has other times than were sent"]
    for (machine, words, after), (_, text, title, next_text) in zip(sent, shown):
        says_so = words.endswith(" UTC")
        expected = here(machine, words.removesuffix(" UTC"), zone)
        if expected is None:
            if text.strip() != words:
                found.append(f"{name}: “{words}” has become “{text}”")
            continue
        local, utc = expected
        if not text.startswith(local) or (not says_so and text.strip() != local):
            found.append(f"{name}: {machine} is “{text}”, not “{local}”")
        if utc not in title:
            found.append(f"{name}: {machine} is not to be had in UTC: “{title}”")
        if "UTC" in text or (SAYS_UTC.match(after) and SAYS_UTC.match(next_text)):
            found.append(f"{name}: “{text}{next_text}” says it is UTC")
    return found + [f"{name}: a column is headed “{head}”" for head in heads]
