/** Clones templates and updates the page in place: unchanged nodes stay, and with them selection, focus and scroll. */

/** One response of the process. */
export interface Poll {
  /** When it was taken, by the clock of the process. */
  readonly takenAt: number;
  /** When it arrived, by `performance.now()`. */
  readonly receivedAt: number;
  /** Whether it can be compared with the one before: both come from the same store of the same process. */
  readonly continues: boolean;
}

export interface Row<Item> {
  readonly root: HTMLElement;
  update(item: Item, poll: Poll): void;
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element #${id}.`);
  return element;
}

/** Clones a template. Returns its root, and its parts by name. */
export function clone<Part extends string>(
  id: string,
  ...names: readonly Part[]
): { readonly root: HTMLElement; readonly parts: Readonly<Record<Part, HTMLElement>> } {
  const template = byId(id) as HTMLTemplateElement;
  const root = (template.content.firstElementChild as HTMLElement).cloneNode(true) as HTMLElement;
  const part = (name: string) => {
    const element = root.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (element === null) throw new Error(`The template #${id} has no part ${name}.`);
    return element;
  };
  const parts = Object.fromEntries(names.map((name) => [name, part(name)]));
  return { root, parts: parts as Record<Part, HTMLElement> };
}

/** Sets the text of an element that holds only text. The text node stays, and so does a selection around it. */
export function setText(element: HTMLElement, text: string): void {
  const node = element.firstChild as Text | null;
  if (node === null) element.append(text);
  else if (node.data !== text) node.data = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Sets 'ok', 'active', 'warning', 'problem' or 'absent' on an element and on its mark. */
export function setLevel(root: HTMLElement, mark: HTMLElement, level: string): void {
  setAttribute(root, 'data-level', level);
  setAttribute(mark, 'data-level', level);
}

/** Sets a text, and hides the element when the text is missing. */
export function setTextOrHide(element: HTMLElement, text: string | false | undefined): void {
  setText(element, text || '');
  element.hidden = !text;
}

const clocks = new Map<HTMLElement, () => string>();

/** Sets a text that changes with time. */
export function setClock(element: HTMLElement, text: () => string): void {
  clocks.set(element, text);
  setText(element, text());
}

setInterval(() => {
  for (const [element, text] of clocks) {
    if (element.isConnected) setText(element, text());
    else clocks.delete(element);
  }
}, 1000);

/** Highlights a changed element for a moment. */
export function flash(element: HTMLElement): void {
  element.classList.remove('fresh');
  // Restarts an animation that still runs.
  void element.offsetWidth;
  element.classList.add('fresh');
  setTimeout(() => element.classList.remove('fresh'), 6000);
}

/**
 * Keeps the children of an element in line with a list of items. `head` is a child that stays before them. Items with the
 * same key are told apart by their order.
 */
export function keyedList<Item, R>(
  parent: HTMLElement,
  create: () => R & Row<Item>,
  head?: HTMLElement,
): (items: readonly Item[], keyOf: (item: Item) => string, poll: Poll) => readonly R[] {
  let rows = new Map<string, R & Row<Item>>();
  return (items, keyOf, poll) => {
    const next = new Map<string, R & Row<Item>>();
    for (const item of items) {
      let key = keyOf(item);
      while (next.has(key)) key += ' again';
      const row = rows.get(key) ?? create();
      next.set(key, row);
      row.update(item, poll);
    }
    const focused = document.activeElement as HTMLElement | null;
    for (const [key, row] of rows) if (!next.has(key)) row.root.remove();
    let at = head === undefined ? parent.firstElementChild : head.nextElementSibling;
    for (const { root } of next.values()) {
      if (root === at) {
        at = at.nextElementSibling;
      } else if (at?.nextElementSibling === root) {
        // The element at this place moves down, so only that one has to move. Its own turn follows.
        at.remove();
        at = root.nextElementSibling;
      } else {
        parent.insertBefore(root, at);
      }
    }
    rows = next;
    // An element that moves loses the focus.
    if (focused !== null && focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
    return [...next.values()];
  };
}
