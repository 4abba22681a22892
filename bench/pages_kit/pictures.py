"""Pictures of the demo's pages, kept small, and where those of today differ.

A picture is kept as a grid: of each square of 32 pixels the mean colour, in 64 steps of red, green and blue. One line a picture:
page, width of the window, theme, size in pixels, and the grid, each row less the one above it, packed and written in base 85. Small enough for a
repository; and a word that has moved, a colour that is another or a line that is missing is still seen.
"""

import base64
import json
import lzma

from .look import THEMES

WIDTHS = (1280, 390)
MOST_HIGH = 4096
SIDE = 32
STEP = 4
# A square differs when its mean is so many of 255 away. The same page of the same browser is at most 2 off (what is kept is
# rounded to steps of 4); another way to smooth letters was at most 4 off.
TOLERANCE = 7
PACKING = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 16, "lc": 0, "lp": 0, "pb": 0}]
MOST_REGIONS = 4

# The same on every machine and each time: the port it listens on, and room on the disk.
MASK = """(() => {
  const address = /(127\\.0\\.0\\.1|localhost):\\d+/g;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { const n = walk.currentNode; if (n.data.search(address) >= 0) n.data = n.data.replace(address, '127.0.0.1:3001'); }
  for (const field of document.querySelectorAll('input, textarea')) field.value = field.value.replace(address, '127.0.0.1:3001');
  if (location.pathname === '/capacity')
    for (const e of document.querySelectorAll('p.said, p.stale, td[data-l=Used]')) e.style.visibility = 'hidden';
})()"""
CELLS = """(async (coded, side) => {
  const bytes = Uint8Array.from(atob(coded), c => c.charCodeAt(0));
  const map = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(map.width, map.height), drawn = canvas.getContext('2d', {willReadFrequently: true});
  drawn.drawImage(map, 0, 0);
  const width = map.width, height = map.height, across = Math.ceil(width / side), down = Math.ceil(height / side);
  const pixels = drawn.getImageData(0, 0, width, height).data, means = new Uint8Array(across * down * 3);
  for (let row = 0; row < down; row++) for (let column = 0; column < across; column++) {
    const right = Math.min(width, (column + 1) * side), bottom = Math.min(height, (row + 1) * side);
    let r = 0, g = 0, b = 0, n = 0;
    for (let y = row * side; y < bottom; y++)
      for (let x = column * side, at = (y * width + x) * 4; x < right; x++, at += 4, n++) { r += pixels[at]; g += pixels[at + 1]; b += pixels[at + 2]; }
    const to = (row * across + column) * 3;
    means[to] = Math.round(r / n); means[to + 1] = Math.round(g / n); means[to + 2] = Math.round(b / n);
  }
  return [width, height, btoa(String.fromCharCode.apply(null, means))];
})"""
SPOIL = "(css => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css); document.adoptedStyleSheets = [sheet]; })"
# The innermost thing that covers a place of the page.
THERE = """((x, y) => {
  const all = [...document.querySelectorAll('body *')].filter(e => { const b = e.getBoundingClientRect();
    return b.width && b.left + scrollX <= x && x <= b.right + scrollX && b.top + scrollY <= y && y <= b.bottom + scrollY; });
  const area = e => { const b = e.getBoundingClientRect(); return b.width * b.height; };
  const e = all.sort((a, b) => area(a) - area(b))[0];
  return e ? e.tagName.toLowerCase() + (e.id ? '#' + e.id : e.className && e.className.baseVal === undefined ? '.' + e.className.split(' ').join('.') : '')
    + ' “' + (e.innerText || '').trim().replace(/\\s+/g, ' ').slice(0, 40) + '”' : 'nothing';
})"""


class Picture:
    """A page as it is drawn: its size in pixels, and the mean of each square."""

    def __init__(self, size, cells):
        self.width, self.height = size
        self.cells = cells
        self.across = -(-self.width // SIDE)

    def line(self, key):
        flat, row = bytearray(), self.across * 3
        steps = [value // STEP for value in self.cells]
        for channel in range(3):
            flat += bytes((steps[at] - (steps[at - row] if at >= row else 0)) & 255 for at in range(channel, len(steps), 3))
        packed = lzma.compress(bytes(flat), lzma.FORMAT_RAW, filters=PACKING)
        page, width, theme = key
        return "\t".join([page, str(width), theme, f"{self.width}x{self.height}", base64.b85encode(packed).decode()])

    @classmethod
    def of_line(cls, line):
        """Returns what it is of, and the picture."""
        page, width, theme, size, coded = line.rstrip("\n").split("\t")
        picture = cls([int(side) for side in size.split("x")], b"")
        flat = lzma.decompress(base64.b85decode(coded), lzma.FORMAT_RAW, filters=PACKING)
        count = len(flat) // 3
        cells = bytearray(len(flat))
        for channel in range(3):
            for n in range(count):
                above = cells[(n - picture.across) * 3 + channel] if n >= picture.across else 0
                cells[n * 3 + channel] = (flat[channel * count + n] + above) & 255
        picture.cells = bytes(value * STEP + STEP // 2 for value in cells)
        return (page, int(width), theme), picture

    def differs(self, stored):
        """Boxes in pixels (left, top, right, bottom) that are not as they were, the topmost first; and by how much at most."""
        if self.width != stored.width:
            return [(0, 0, self.width, self.height)], 255
        rows = min(len(self.cells), len(stored.cells)) // (self.across * 3)
        found, most = set(), 0
        for n in range(rows * self.across):
            off = max(abs(self.cells[n * 3 + c] - stored.cells[n * 3 + c]) for c in range(3))
            if off > TOLERANCE:
                found.add((n % self.across, n // self.across))
                most = max(most, off)
        boxes = []
        while found:
            group, edge = set(), [min(found, key=lambda place: (place[1], place[0]))]
            while edge:
                x, y = edge.pop()
                if (x, y) in found:
                    found.remove((x, y))
                    group.add((x, y))
                    edge += [(x + i, y + j) for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2)]
            xs, ys = [x for x, _ in group], [y for _, y in group]
            boxes.append((min(xs) * SIDE, min(ys) * SIDE, (max(xs) + 1) * SIDE, (max(ys) + 1) * SIDE))
        return boxes, most


def take(looker, path, spoilt=""):
    """Pictures of a page, by width and theme, with the bytes of each. With a style sheet more, where one is given."""
    browser = looker.browser
    for width in WIDTHS:
        browser.theme(THEMES[0])
        browser.size(width)
        looker.open(path)
        browser.evaluate(MASK)
        if spoilt:
            browser.evaluate(f"{SPOIL}({json.dumps(spoilt)})")
        for theme in THEMES:
            browser.theme(theme)
            png = browser.png(MOST_HIGH)
            wide, high, cells = browser.evaluate(f"({CELLS})({json.dumps(png)}, {SIDE})")
            yield (width, theme), Picture((wide, high), base64.b64decode(cells)), png


def read(file):
    """What is kept: of what browser, and the pictures."""
    lines = file.read_text(encoding="ascii").splitlines()
    return lines[0].removeprefix("# "), dict(Picture.of_line(line) for line in lines[1:])


def write(file, browser_name, pictures):
    lines = [f"# {browser_name}"] + [picture.line(key) for key, picture in pictures.items()]
    file.write_text("\n".join(lines) + "\n", encoding="ascii")
    return file.stat().st_size


def compared(looker, key, picture, stored):
    """What a person is told of a picture that is not as it was."""
    page, width, theme = key
    name = f"{page}, {width} px, {theme}"
    boxes, most = picture.differs(stored)
    told = []
    if (picture.width, picture.height) != (stored.width, stored.height):
        told.append(f"{name}: {picture.width} by {picture.height} px, it was {stored.width} by {stored.height}")
    for left, top, right, bottom in boxes[:MOST_REGIONS]:
        there = looker.browser.evaluate(f"{THERE}({(left + right) / 2}, {(top + bottom) / 2})")
        told.append(f"{name}: differs from ({left}, {top}) to ({right}, {bottom}), by {most} of 255 at most; there is {there}")
    if len(boxes) > MOST_REGIONS:
        told.append(f"{name}: and at {len(boxes) - MOST_REGIONS} more places")
    return told
