"""What everybody must be able to see, read out, reach and hit on a page."""

# Text against what is behind it (WCAG 2.2, 1.4.3), names of fields and pictures, order of
# headings, sizes of what is tapped, and that nothing sticks out sideways.
JUDGE = r"""
(() => {
  const wrong = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const seen = (one) => one.checkVisibility() && one.getClientRects().length > 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !seen(one) || one.closest("script, noscript")) continue;
    texts += 1;
    const style = getComputedStyle(one);
    const [a, b] = [light(rgba(style.color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) wrong.push(`contrast ${ratio.toFixed(2)}: ${walk.currentNode.data.trim().slice(0, 40)}`);
    if (parseFloat(style.fontSize) < 13) wrong.push(`small: ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  if (texts < 10) wrong.push(`only ${texts} texts were seen`);
  for (const field of document.querySelectorAll("input, select, textarea")) {
    if (seen(field) && !field.labels.length && !field.getAttribute("aria-label")) wrong.push(`no label: ${field.id}`);
  }
  for (const image of document.images) if (!image.hasAttribute("alt")) wrong.push(`no alt: ${image.src}`);
  for (const image of document.images) if (!image.complete || !image.naturalWidth) wrong.push(`no picture: ${image.src}`);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.filter((one) => one === id).length > 1) wrong.push(`twice: #${id}`);
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    if (!seen(heading)) continue;
    const now = Number(heading.tagName[1]);
    if (now > level + 1) wrong.push(`heading jumps: ${heading.textContent}`);
    level = now;
  }
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (!document.documentElement.lang || !document.title) wrong.push("no language or title");
  for (const one of document.querySelectorAll("button, .button, .languages a, input:not([type=checkbox])")) {
    const box = one.getBoundingClientRect();
    if (seen(one) && (box.height < 43.5 || box.width < 24)) wrong.push(`hard to hit (${box.width}×${box.height}): ${one.textContent || one.id}`);
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) wrong.push(`sticks out sideways: ${wide} > ${innerWidth}`);
  return wrong;
})()
"""


def good(page):
    wrong = page.run(JUDGE)
    assert not wrong, wrong
    # What a screen reader is told: everything that can be used has a name.
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    used = [node for node in nodes if not node["ignored"]
            and node["role"]["value"] in ("button", "link", "textbox", "combobox", "checkbox", "img", "image")]
    assert len(used) > 3, "the tree is empty"
    nameless = [node["role"]["value"] for node in used if not node.get("name", {}).get("value", "").strip()]
    assert not nameless, f"no name for a screen reader: {nameless}"
