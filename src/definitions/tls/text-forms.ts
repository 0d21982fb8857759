/** Some values are quoted or escaped by each of several tools. */
const MAX_QUOTES = 4;

/** Labels of PEM blocks, to restore spaces that a transport removed. */
const LABELS = new Map(
  [
    'CERTIFICATE',
    'X509 CERTIFICATE',
    'TRUSTED CERTIFICATE',
    'CERTIFICATE REQUEST',
    'NEW CERTIFICATE REQUEST',
    'PRIVATE KEY',
    'RSA PRIVATE KEY',
    'EC PRIVATE KEY',
    'DSA PRIVATE KEY',
    'ENCRYPTED PRIVATE KEY',
    'OPENSSH PRIVATE KEY',
    'PUBLIC KEY',
    'EC PARAMETERS',
  ].map((label) => [label.replaceAll(' ', ''), label]),
);

/**
 * Returns the text of a stored value in its plain form. Undoes what transports do to PEM and base64: UTF-16, byte order marks,
 * quotes (JSON in JSON), line breaks escaped once or more (`\n`, `\\n`, a backslash or backtick), escaped characters of JSON,
 * URLs and HTML, invisible characters.
 */
export function plainText(bytes: Buffer): string {
  let text = unquoted(decoded(bytes));
  if (/-----BEGIN(%20|\+)|^[A-Za-z0-9]+%2B/.test(text)) text = percentDecoded(text);
  text = text
    .replace(/\\+u00([0-9a-f]{2})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/&#(x?)([0-9a-f]{1,3});/gi, (_, hex, code) =>
      String.fromCharCode(Number.parseInt(code, hex === '' ? 10 : 16)),
    )
    .replace(/(\\+r|\\+x0d|`r)?(\\+n|\\+x0a|`n)|\\+r/g, '\n')
    .replace(/\\+t/g, ' ')
    .replace(/[\\`]+(?=\r?\n|\r|$)/g, '')
    .replace(/\\+\//g, '/')
    .replace(/[\0\u00ad\u200b-\u200f\u2060\ufeff]/g, '')
    .replace(/\r\n?/g, '\n');
  return text.replace(/-----(BEGIN|END)\s*([A-Z0-9]+(?:\s+[A-Z0-9]+)*)\s*-----/g, (_, edge, label) => {
    const name = label.replace(/\s+/g, '');
    return `-----${edge} ${LABELS.get(name) ?? label}-----`;
  });
}

function decoded(bytes: Buffer): string {
  const [first, second, third, fourth] = bytes;
  const isLittle = (first === 0xff && second === 0xfe) || (second === 0 && fourth === 0 && first !== 0);
  const isBig = (first === 0xfe && second === 0xff) || (first === 0 && third === 0 && second !== 0);
  const even = bytes.subarray(0, bytes.length - (bytes.length % 2));
  if (isLittle) return even.toString('utf16le');
  if (isBig) return Buffer.from(even).swap16().toString('utf16le');
  return bytes.toString('utf8');
}

function unquoted(given: string): string {
  let text = given.replace(/^\ufeff/, '').trim();
  for (let quotes = 0; quotes < MAX_QUOTES && text.startsWith('"'); quotes += 1) {
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed !== 'string') return text;
      text = parsed.trim();
    } catch {
      break;
    }
  }
  // A quote that is not JSON: from a shell, or with line breaks inside.
  return text.replace(/^\s*(['"])([\s\S]*)\1\s*$/, '$2').replace(/^data:[^,]{0,80};base64,/, '');
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(/-----BEGIN\+/.test(text) ? text.replaceAll('+', ' ') : text);
  } catch {
    return text;
  }
}
