/** One block of a PEM text: its label, and the block as a text of its own. */
export interface PemBlock {
  readonly label: string;
  readonly pem: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ');
}

/**
 * The blocks of a text, or `undefined` where one of them is cut off or damaged. What happens to PEM on its way through
 * variables and forms is mended: `\n` written as two characters, line breaks lost or turned into spaces, CRLF.
 */
export function pemBlocks(text: string): PemBlock[] | undefined {
  const mended = text.replace(/(\\r)?\\n/g, '\n').replace(/\r\n?/g, '\n');
  const blocks: PemBlock[] = [];
  for (const [, label = '', body = ''] of mended.matchAll(BLOCK)) {
    const pem = rewrapped(label, body);
    if (pem === undefined) return undefined;
    blocks.push({ label, pem });
  }
  const begun = mended.split('-----BEGIN ').length - 1;
  return blocks.length === begun ? blocks : undefined;
}

/** DER as PEM. */
export function pemOf(label: string, der: Uint8Array): string {
  return lines(label, Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64'));
}

function rewrapped(label: string, body: string): string | undefined {
  // Keys that OpenSSL encrypted the old way have headers, whose lines are part of the format.
  if (/^\s*Proc-Type:/.test(body))
    return `-----BEGIN ${label}-----\n${body.trim()}\n-----END ${label}-----\n`;
  const base64 = body.replace(/\s+/g, '');
  return BASE64.test(base64) ? lines(label, base64) : undefined;
}

function lines(label: string, base64: string): string {
  const wrapped = base64.match(/.{1,64}/g)?.join('\n') ?? '';
  return `-----BEGIN ${label}-----\n${wrapped}\n-----END ${label}-----\n`;
}
