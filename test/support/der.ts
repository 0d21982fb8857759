/** Encodes a DER value (X.690): tag, length, and the parts in order. */
export function node(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let left = body.length; left > 0; left >>= 8) length.unshift(left & 0xff);
  const head = body.length < 0x80 ? [body.length] : [0x80 | length.length, ...length];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return node(0x30, ...parts);
}

export function octets(bytes: Buffer): Buffer {
  return node(0x04, bytes);
}

/** Encodes `[0] EXPLICIT`. */
export function explicit(content: Buffer): Buffer {
  return node(0xa0, content);
}

/** Encodes a number from 0 to 32 767. */
export function integer(value: number): Buffer {
  return node(0x02, Buffer.from(value < 0x80 ? [value] : [value >> 8, value & 0xff]));
}

/** Encodes an object identifier in dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift(0x80 | (left & 0x7f));
    bytes.push(...groups);
  }
  return node(0x06, Buffer.from(bytes));
}
