#!/usr/bin/env python3
"""The journey of a person with nothing but a keyboard, in Chromium: signs up, adds a website, sees it up, then down, takes the
incident on, makes a status page, publishes on it and looks at it. Once with script, once without.

    cargo build -p hub
    bench/keyboard.py                                    # starts hubs of its own, in directories that are removed
    bench/keyboard.py --program target/release/betteruptime-hub --said

Ends with 1 when the keys do not lead there, when something does not show that it has the focus, or has it where nobody sees it.
"""

import argparse
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from pages_kit import hub  # noqa: E402
from pages_kit.browser import Browser  # noqa: E402
from pages_kit.keyboard import Person, Trouble  # noqa: E402
from pages_kit.target import Target  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent


def journey(person, address, target, has_script):
    reload = not has_script
    person.browser.call("Page.navigate", url=f"http://{address}/")
    person.sees("#username")
    person.tab_to("#username")
    person.type("ann")
    person.tab_to("#password")
    person.type("correct horse")
    person.press("Enter")

    person.sees(".empty a[href='/websites/new']")
    person.skip()
    person.enter(".empty a[href='/websites/new']")
    person.sees("#url")
    if not person.is_at("#url"):
        person.tab_to("#url")
    person.judge()
    # What is wrong is said, and one key leads from there to the field.
    person.type("shop")
    person.press("Enter")
    person.sees("#url-error")
    if not person.is_at("#url"):
        person.enter("a[href='#url']")
        person.wait("document.activeElement.id === 'url'", "the field that is wrong to have the focus")
    person.press("a", 2)  # Ctrl
    person.type(target.url)
    # A choice by arrow keys, and what is hidden until it is opened.
    person.tab_to("#interval")
    before = person.ask("document.activeElement.value")
    person.press("ArrowDown")
    if person.ask("document.activeElement.value") == before:
        raise Trouble("the arrow keys do not change how often it is checked")
    person.tab_to("#url", back=True)
    person.press("Enter")
    person.sees(".verdict.up", reload)

    target.status = 500
    person.skip()
    person.enter("#check")
    person.sees("#pause")
    person.tab_to("#pause")
    person.sees(".verdict.down", reload, 40)
    person.sees("#incident", reload)
    if has_script and not person.is_at("#pause"):
        raise Trouble("the page has renewed itself, and what had the focus has lost it")
    person.tab_to("#incident", back=has_script)
    person.press("Enter")
    person.sees("#acknowledge")
    person.skip()
    person.enter("#acknowledge")
    person.sees(".taken")
    person.tab_to("#note")
    person.type("The release, rolling back")
    person.enter(".note-form button")
    person.sees(".timeline .by-hand")

    person.enter("nav a[href='/status-pages']")
    person.sees(".empty a[href='/status-pages/new']")
    person.skip()
    person.enter(".empty a[href='/status-pages/new']")
    person.sees("#slug")
    person.skip()
    person.tab_to("#name")
    person.type("Acme status")
    person.tab_to("#slug")
    person.type("acme")
    person.tab_to("input[name=access]")
    person.press("ArrowDown")
    if not person.ask("document.getElementById('access-password').checked"):
        raise Trouble("the arrow keys do not choose who may see a status page")
    person.press("ArrowUp")
    person.tab_to("input[name=row_name]")
    person.type("Shop")
    person.tab_to("input[name=row_website]")
    person.type(target.url)
    person.tab_to("input[name=tells_outages]")
    if person.ask("document.activeElement.checked"):
        person.press(" ")
    person.press(" ")
    if not person.ask("document.activeElement.checked"):
        raise Trouble("the space bar does not mark a box")
    person.enter("form.card .actions button.main")
    person.sees("#publish")
    person.skip()
    person.tab_to("#title")
    person.type("The shop cannot be reached")
    person.tab_to("#said")
    person.type("We are rolling back.")
    person.tab_to("input[name=components]")
    person.press(" ")
    person.enter("form[aria-labelledby=publish] button")
    person.wait("document.readyState === 'complete' && /cannot be reached/.test(document.querySelector('main').innerText)", "the post")
    if not person.ask("!!document.querySelector(\"main a[href='/s/acme']\")"):
        person.enter("main a[href^='/status-pages/']")
        person.sees("main a[href='/s/acme']")
    person.skip()
    if not person.is_at("main a[href='/s/acme']"):
        person.tab_to("main a[href='/s/acme']", back=False)
    person.press("Enter")
    person.sees(".components .state.s-d", reload)
    said = person.ask("document.body.innerText")
    for words in ("Acme status", "Shop", "The shop cannot be reached", "We are rolling back."):
        if words not in said:
            raise Trouble(f"the status page does not say “{words}”: {said}")
    # All that takes the focus on a page that strangers read.
    for _ in range(person.ask("document.querySelectorAll('a[href], button, input, summary').length")):
        person.tab()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target" / "debug" / "betteruptime-hub")
    parser.add_argument("--script", choices=("on", "off"), help="once only, in this way")
    parser.add_argument("--said", action="store_true", help="say each way, and how often Tab was pressed on it")
    arguments = parser.parse_args()
    wrong = []
    for has_script in {"on": (True,), "off": (False,), None: (True, False)}[arguments.script]:
        name = "with script" if has_script else "without script"
        began = time.monotonic()
        browser, target = Browser(), Target()
        person = Person(browser)
        try:
            with hub.new(arguments.program) as address:
                browser.size(1280)
                browser.theme("light")
                browser.scripts(has_script)
                journey(person, address, target, has_script)
        except Trouble as trouble:
            wrong.append(f"{name}: {trouble}")
        finally:
            browser.close()
            target.close()
        wrong += [f"{name}: {one}" for one in dict.fromkeys(person.wrong)]
        if arguments.said:
            for place, selector, tabs in person.steps:
                print(f"  {tabs:>3} Tab  {place}  {selector}")
        print(
            f"{name}: {len(person.steps)} ways, at most {person.most} times Tab on one; {person.seen} times something had the focus; "
            f"{time.monotonic() - began:.0f} s"
        )
    for one in wrong:
        print(f"  {one}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
