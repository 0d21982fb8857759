/** Copies templates, and changes the page in place: what is the same stays untouched, and with it selection, focus, scroll. */
export const DOM = /* js */ `
const byId = (id) => document.getElementById(id);

/** A copy of a template, with its parts by name. */
function make(id) {
  const template = /** @type {HTMLTemplateElement} */ (byId(id));
  const root = /** @type {HTMLElement} */ (template.content.firstElementChild.cloneNode(true));
  /** @type {Record<string, any>} */
  const parts = {};
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-part]'))) {
    parts[part.dataset.part] = part;
  }
  return { root, parts };
}

/** Sets the text of an element that has nothing else in it. The text node stays, and so does a selection around it. */
function say(element, text) {
  const node = element.firstChild;
  if (node === null) element.append(text);
  else if (node.data !== text) node.data = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** 'ok', 'active', 'warning', 'problem' or 'absent', of an element and of the mark in it. */
function setLevel(root, parts, level) {
  setAttribute(root, 'data-level', level);
  setAttribute(parts.mark, 'data-level', level);
}

/** Text that may be missing: then the element goes, too. */
function sayOrHide(element, text) {
  say(element, text || '');
  element.hidden = !text;
}

/** @type {Map<Element, () => string>} */
const ticking = new Map();

/** Text that changes with time. */
function tick(element, words) {
  ticking.set(element, words);
  say(element, words());
}

setInterval(() => {
  for (const [element, words] of ticking) {
    if (element.isConnected) say(element, words());
    else ticking.delete(element);
  }
}, 1000);

/** Draws the eye to what has just changed, for a moment. */
function flash(element) {
  element.classList.remove('fresh');
  // Begins anew where it is still under way.
  void element.offsetWidth;
  element.classList.add('fresh');
  setTimeout(() => element.classList.remove('fresh'), 6000);
}

/**
 * Keeps the children of an element in line with items. 'create' makes { root, update }; 'head' is what stays before them.
 * Two items of one key are told apart by their order.
 */
function keyedList(parent, create, head) {
  let rows = new Map();
  /** @param {Look} [look] */
  return (items, keyOf, look) => {
    const next = new Map();
    for (const item of items) {
      let key = keyOf(item);
      while (next.has(key)) key += ' again';
      const row = rows.get(key) || create();
      next.set(key, row);
      row.update(item, look);
    }
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    for (const [key, row] of rows) if (!next.has(key)) row.root.remove();
    let at = head ? head.nextElementSibling : parent.firstElementChild;
    for (const { root } of next.values()) {
      if (root === at) {
        at = at.nextElementSibling;
      } else if (at !== null && at.nextElementSibling === root) {
        // It has moved down: its turn comes, and nothing else has to move.
        at.remove();
        at = root.nextElementSibling;
      } else {
        parent.insertBefore(root, at);
      }
    }
    rows = next;
    // What moves loses the focus.
    if (focused !== null && focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    return [...next.values()];
  };
}
`;
