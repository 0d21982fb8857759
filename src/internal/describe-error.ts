/**
 * Describes an error by name, code and location, without its message: parsers, drivers and user code echo their input in
 * messages and causes.
 */
export function describeError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return `a thrown ${error === null ? 'null' : typeof error}`;
    return kindAndPlace(error);
  } catch {
    // Getters of a foreign error may throw.
    return 'an error';
  }
}

function kindAndPlace(error: Error): string {
  const code = (error as { code?: unknown }).code;
  const kind = isIdentifier(error.name) ? error.name : 'Error';
  const frame = firstFrame(error);
  return kind + (isIdentifier(code) ? ` (${code})` : '') + (frame === undefined ? '' : ` at ${frame}`);
}

/** Returns the `code` of an error: a system errno, an SQLSTATE, `ERR_…`. */
export function errorCode(error: unknown): string | undefined {
  try {
    const code = (error as { code?: unknown } | null | undefined)?.code;
    return isIdentifier(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function isIdentifier(value: unknown): value is string {
  // Codes of OpenSSL 3.2 contain a slash: ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED.
  return typeof value === 'string' && /^[A-Za-z0-9_/]{1,64}$/.test(value);
}

function firstFrame(error: Error): string | undefined {
  // Lines of the message may resemble frames, so search after the copy of the message in `stack`.
  const stack = error.stack;
  if (typeof stack !== 'string' || !stack.includes(error.message)) return undefined;
  const frames = stack.slice(stack.indexOf(error.message) + error.message.length);
  return /^\s+at (?:.*? \()?([^\s()]+:\d+:\d+)\)?$/m.exec(frames)?.[1];
}
