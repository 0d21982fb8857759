import { createPrivateKey } from 'node:crypto';
import { createAuthority } from '../../support/certificates';
import { createPfx } from '../../support/pfx';
import { bytesMark, keyMark, textMark } from './marks';

const authority = await createAuthority();
const [first, second, late] = await Promise.all([
  authority.issue(),
  authority.issue(),
  authority.issue({ notAfter: new Date(Date.now() - 3_600_000) }),
]);

/** Every marked value, by its role in the scenes. */
export const marks = {
  text: textMark('text', (core) => `${core}"\\/é&%+ <'>`),
  nextText: textMark('second text', (core) => `${core}"\\/é&%+ <'>`),
  badText: textMark('refused text'),
  json: textMark('JSON', (core) => `${core}"\\é`),
  badJson: textMark('malformed JSON'),
  bytes: bytesMark('bytes'),
  connection: textMark('connection string'),
  passphrase: textMark('passphrase'),
  badPassphrase: textMark('wrong passphrase'),
  variable: textMark('variable'),
  inVault: textMark('value in a vault'),
  echoed: textMark('value that other code throws', (core) => `${core}é"`),
  key: keyMark('TLS key', first.key),
  nextKey: keyMark('second TLS key', second.key),
  lateKey: keyMark('key of an expired certificate', late.key),
} as const;

const encrypted = createPrivateKey(first.key).export({
  format: 'pem',
  type: 'pkcs8',
  cipher: 'aes-256-cbc',
  passphrase: marks.passphrase.value,
}) as string;

export const pairs = { ca: authority.cert, first, second, late, encrypted };
export const pfx = createPfx({ cert: first.cert, key: first.key, password: marks.passphrase.value });
export const connectionString = `postgres://app:${marks.connection.value}@127.0.0.1:1/app`;
export const jsonText = JSON.stringify({ user: 'app', key: marks.json.value, list: [marks.json.value] });
