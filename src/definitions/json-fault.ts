import { JsonReader } from './json-reader';

/** What is wrong with a text that is not JSON, and where; never the text itself. */
export interface JsonFault {
  /** The end of a sentence: `the value of "x" is not valid JSON: …`. */
  readonly what: string;
  readonly next: string;
}

const LINT = 'Check the stored text with a JSON linter.';

/**
 * Finds out why a text is not JSON. It recognizes JSON that was encoded or quoted once more and texts of another kind; of any other
 * text it finds the first fault, with line and column.
 */
export function jsonFault(text: string): JsonFault {
  return disguised(text) ?? foreign(text) ?? firstFault(text);
}

/** True if the text is a JSON object or array. */
export function isJsonDocument(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON with something around it or done to it. */
function disguised(text: string): JsonFault | undefined {
  const plain = text.trim();
  const is = (read: () => string) => {
    try {
      return isJsonDocument(read());
    } catch {
      return false;
    }
  };
  const encoded = /^[A-Za-z0-9+/_=\s-]+$/.test(plain);
  const base64 = (of: string) =>
    Buffer.from(of, 'base64')
      .toString('utf8')
      .replace(/^\ufeff/, '');
  if (encoded && is(() => base64(plain))) {
    return {
      what: 'it is JSON in base64',
      next: "Declare it with encoding: 'base64', or store the JSON itself.",
    };
  }
  if (encoded && is(() => base64(base64(plain)))) {
    return {
      what: 'it is JSON that was encoded as base64 twice',
      next: 'Store the JSON itself: Kubernetes encodes it once.',
    };
  }
  if (encoded && is(() => Buffer.from(plain, 'hex').toString('utf8'))) {
    return { what: 'it is JSON in hex', next: 'Store the JSON itself.' };
  }
  if (/^%(7B|5B)/i.test(plain) && is(() => decodeURIComponent(plain))) {
    return { what: 'it is JSON in the encoding of URLs', next: 'Store the JSON itself.' };
  }
  const quote = /^(['"`]).*\1$/s.exec(plain)?.[1];
  const inner = quote === undefined ? plain : plain.slice(1, -1);
  if (quote !== undefined && is(() => inner)) {
    return {
      what: `it is JSON in ${nameOf(quote)}`,
      next: 'Remove the quotes around it. Compose and `--env-file` keep them.',
    };
  }
  if (is(() => inner.replace(/\\(["\\])/g, '$1')) || is(() => inner.replace(/\\"/g, '"'))) {
    return {
      what: 'it is JSON with a backslash before each quote',
      next: 'Store the JSON itself, without escapes.',
    };
  }
  if (is(() => inner.replace(/\\\\/g, '\\')) || is(() => inner.replace(/\\[rn]/g, '\n'))) {
    return {
      what: 'it is JSON with escapes outside of its texts',
      next: 'Store the JSON itself, without escapes.',
    };
  }
  if (is(() => plain.replace(/\0/g, ''))) {
    const kind = /^(\0[^\0]|[^\0]\0){2}/.test(plain)
      ? 'it is UTF-16'
      : `it has a NUL (${placeOf(text, text.indexOf('\0'))})`;
    return { what: kind, next: 'Store it as UTF-8, without padding.' };
  }
  if (/[“”„«»]/.test(plain) && is(() => plain.replace(/[“”„«»]/g, '"'))) {
    return {
      what: `it has typographic quotes (${placeOf(text, text.search(/[“”„«»]/))})`,
      next: 'Write plain double quotes.',
    };
  }
  if (is(() => plain.replace(/[\u00a0\u1680\u2000-\u200d\u2060\u202f\u3000\ufeff]/g, ' '))) {
    const at = firstOutsideStrings(text);
    return { what: `it has a character that nobody sees (${placeOf(text, at)})`, next: LINT };
  }
  return undefined;
}

/** A text of another kind. */
function foreign(text: string): JsonFault | undefined {
  const plain = text.trim();
  const oneLine = !/[\r\n]/.test(plain);
  if (oneLine && /^(file:|~?\/|\.{1,2}\/|[A-Za-z]:[\\/])[^{}"]+$/.test(plain)) {
    return {
      what: 'it is the path of a file',
      next: 'Store what the file holds, or set the variable with _FILE at its end.',
    };
  }
  const instead = (kind: string, next = 'Store JSON, or use secret.text.') => ({
    what: `it is ${kind}`,
    next,
  });
  if (/^-----BEGIN /.test(plain))
    return instead('PEM', 'Use secret.key or secret.tls for keys and certificates.');
  if (/^<(!DOCTYPE|\?xml|[A-Za-z][\w:-]*[\s>/])/i.test(plain))
    return instead('XML or HTML', 'Check what stored it: an error page, perhaps.');
  if (/^eyJ[\w-]+\.[\w-]+\.[\w-]*$/.test(plain)) return instead('a JSON Web Token', 'Use secret.text.');
  if (oneLine && /^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(plain)) return instead('a URL', 'Use secret.text.');
  if (/^(export\s+)?[A-Za-z_]\w*=/.test(plain)) return instead('a list of variables (NAME=value)');
  if (/^(---\s*\n|%YAML|[A-Za-z_][\w.-]*:(\s|$)|- )/.test(plain)) return instead('YAML');
  return undefined;
}

function nameOf(quote: string): string {
  return quote === "'" ? 'single quotes' : quote === '"' ? 'double quotes' : 'backticks';
}

/** The offset of the first unusual space that is not in a text. */
function firstOutsideStrings(text: string): number {
  const blanked = text.replace(/"(?:[^"\\]|\\.)*"/g, (match) => '"'.repeat(match.length));
  return blanked.search(/[\u00a0\u1680\u2000-\u200d\u2060\u202f\u3000\ufeff]/);
}

/** Line and column, from 1, as editors count. */
function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n');
  return `line ${before.length}, column ${(before.at(-1) as string).length + 1}`;
}

function firstFault(text: string): JsonFault {
  const fault = new JsonReader(text).fault();
  return { what: `${fault.kind} (${placeOf(text, fault.offset)})`, next: fault.next ?? LINT };
}
