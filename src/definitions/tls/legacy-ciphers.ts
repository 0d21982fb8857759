/** Encryption that OpenSSL 3 keeps in its legacy provider, which Node does not load, by the hexadecimal bytes of its OID. */
const LEGACY = new Map([
  ['2a864886f70d010c0101', 'RC4-128'],
  ['2a864886f70d010c0102', 'RC4-40'],
  ['2a864886f70d010c0105', 'RC2-128'],
  ['2a864886f70d010c0106', 'RC2-40'],
  ['2a864886f70d010501', 'MD2 and DES'],
  ['2a864886f70d010503', 'MD5 and DES'],
  ['2a864886f70d010504', 'MD2 and RC2'],
  ['2a864886f70d010506', 'MD5 and RC2'],
  ['2a864886f70d01050a', 'SHA-1 and DES'],
  ['2a864886f70d01050b', 'SHA-1 and RC2'],
  ['2a864886f70d01050e', 'PBMAC1'],
  ['2a864886f70d0302', 'RC2'],
  ['2a864886f70d0304', 'RC4'],
  ['2b0e030207', 'DES'],
  ['2b0601040197550102', 'Blowfish'],
  ['2a864886f67d07420a', 'CAST5'],
  ['2a831a8c9a440104', 'SEED'],
  ['2b06010401813c07010102', 'IDEA'],
  ['2a864886f70d0204', 'MD4'],
  ['2b24030201', 'RIPEMD-160'],
]);

/** What forge reads besides the encryption that OpenSSL reads itself. */
const READ_BY_FORGE = new Set(['RC2-40', 'DES']);

/** Returns the names of legacy algorithms that an encrypted key or a PFX declares. */
export function legacyCiphersOf(der: Uint8Array): string[] {
  const hex = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('hex');
  return [...LEGACY]
    .filter(([oid]) => {
      const length = (oid.length / 2).toString(16).padStart(2, '0');
      return hex.includes(`06${length}${oid}`);
    })
    .map(([, name]) => name);
}

export function isReadByForge(ciphers: readonly string[]): boolean {
  return ciphers.every((name) => READ_BY_FORGE.has(name));
}

/** Returns the cipher of a key in the old encryption format of OpenSSL, unless OpenSSL 3 still reads it. */
export function legacyCipherOfHeaders(pem: string): string | undefined {
  const cipher = /^DEK-Info: ([A-Z0-9-]+),/m.exec(pem)?.[1];
  return cipher === undefined || /^(AES-|DES-EDE3-|CAMELLIA-|ARIA-)/.test(cipher) ? undefined : cipher;
}
