import { builtin } from './builtins';

/**
 * Describes an error by name, code and location, without its message: parsers, drivers and user code echo their input in
 * messages and causes. A name or a code of unusual form may be such an echo too, so it is left out.
 */
export function describeError(error: unknown): string {
  try {
    if (!isError(error)) return `a thrown ${error === null ? 'null' : typeof error}`;
    const code = errorCode(error);
    const kind = NAME.test(String(error.name)) ? error.name : 'Error';
    const frame = firstFrame(error);
    return kind + (code === undefined ? '' : ` (${code})`) + (frame === undefined ? '' : ` at ${frame}`);
  } catch {
    // Getters of a foreign error may throw.
    return 'an error';
  }
}

/** Returns the `code` of an error: a system errno, an SQLSTATE, `ERR_…`. */
export function errorCode(error: unknown): string | undefined {
  try {
    const code = (error as { code?: unknown } | null | undefined)?.code;
    return typeof code === 'string' && isCode(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Returns true for an error of any realm. */
function isError(error: unknown): error is Error {
  return error instanceof Error || builtin('util').types.isNativeError(error);
}

const NAME = /^[a-z]{0,40}\d?[a-z]{0,20}(?:error|exception|warning)$/i;

// Node, undici, the HTTP parser, jose, MySQL, X.509; five characters are an SQLSTATE or a code of Prisma.
const CODE =
  /^(?:(?:ERR|UND_ERR|HPE|ER|PROTOCOL|HANDSHAKE|CERT|CRL|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|ERROR_IN)_[A-Z0-9_/]{1,60}|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_EXCEEDED|ABORT_ERR|MODULE_NOT_FOUND|[0-9A-Z]{5})$/;
// Of c-ares and of clients, which the system does not define.
const MORE_ERRNOS = /^E(?:NOTFOUND|NODATA|SERVFAIL|REFUSED|TIMEOUT|FORMERR|BADRESP|CANCELLED|SOCKET|LOGIN)$/;
let errnos: ReadonlySet<string> | undefined;

function isCode(code: string): boolean {
  errnos ??= new Set([...builtin('util').getSystemErrorMap().values()].map(([name]) => name));
  return CODE.test(code) || errnos.has(code) || MORE_ERRNOS.test(code);
}

const FRAME = /^\s+at (?:.*? \()?((?:file:\/\/|node:|[A-Za-z]:[\\/]|\/)[^\s()?#]+:\d+:\d+)\)?$/;

/** Lines of the message may resemble frames, so the frames count only directly after the copy of the message in `stack`. */
function firstFrame({ stack, message }: Error): string | undefined {
  if (typeof stack !== 'string' || typeof message !== 'string') return undefined;
  const at = stack.indexOf(message);
  const [head = '', ...frames] = (message === '' ? stack : stack.slice(at + message.length)).split('\n');
  // An error without a message starts with its name.
  if (at < 0 || (message === '' ? head.includes(' ') : head !== '')) return undefined;
  for (const frame of frames) {
    if (!frame.startsWith('    at ')) return undefined;
    const [, place] = FRAME.exec(frame) ?? [];
    if (place !== undefined) return place;
  }
  return undefined;
}
