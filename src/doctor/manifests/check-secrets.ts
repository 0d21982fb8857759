import type { Reading } from '../../sources/source';
import { checkDiscovered } from '../checks/discovered';
import type { Finding } from '../findings';
import { hasPassword, isSecretName, isSecretValue } from './check-containers';
import type { Field } from './fields';
import { at, type Resource } from './resources';

/** Secrets that a program made for itself. */
const OF_PROGRAMS =
  /^(kubernetes\.io\/(service-account-token|dockercfg|dockerconfigjson)|bootstrap\.|helm\.sh\/)/;

/** Checks the values of a Secret as the doctor checks files, and what keeps them from changing. */
export async function checkSecret({ root, where }: Resource): Promise<Finding[]> {
  const found: Finding[] = [];
  const immutable = root.get('immutable');
  if (immutable.isTrue) found.push(at(immutable, 'SECRET_IMMUTABLE', { where }));
  const type = root.get('type').text;
  // The values of SOPS are encrypted.
  if (OF_PROGRAMS.test(type) || root.get('sops').exists) return found;
  const fields = new Map<string, Field>();
  const readings = new Map<string, Reading>();
  for (const [source, decode] of [
    ['data', fromBase64],
    ['stringData', fromText],
  ] as const) {
    for (const [key, field] of root.get(source).fields) {
      const bytes = decode(String(field.value ?? ''));
      if (bytes === undefined) found.push(at(field, 'SECRET_DATA_INVALID', { where, key }));
      else {
        fields.set(key, field);
        readings.set(key, { status: 'found', bytes, origin: key });
      }
    }
  }
  if (type === 'kubernetes.io/tls' && fields.size > 0) {
    for (const key of ['tls.crt', 'tls.key'].filter((one) => !fields.has(one))) {
      found.push(
        at(root.get('data'), 'SECRET_KEY_MISSING', { where, name: root.get('metadata', 'name').text, key }),
      );
    }
  }
  for (const one of await checkDiscovered({ source: 'manifest', location: '', readings })) {
    const { file, line } = fields.get(one.secret ?? '') ?? root.get('data');
    // A store drops a newline; who else reads the Secret is not known here.
    const level = one.code === 'VALUE_TRAILING_NEWLINE' ? 'warning' : one.level;
    found.push({ ...one, level, place: file, line });
  }
  for (const reading of readings.values()) if (reading.status === 'found') reading.bytes.fill(0);
  return found;
}

function fromText(text: string): Uint8Array {
  return Buffer.from(text);
}

function fromBase64(text: string): Uint8Array | undefined {
  const joined = text.replace(/\s+/g, '');
  if (joined.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(joined)) return undefined;
  return Buffer.from(joined, 'base64');
}

/** Checks that a ConfigMap holds no secrets. */
export function checkConfigMap({ root, where }: Resource): Finding[] {
  const immutable = root.get('immutable');
  const found = [...root.get('data').fields].flatMap(([key, field]) => {
    const value = String(field.value ?? '');
    const isSecret =
      (isSecretName(key) && isSecretValue(key, value) && !value.includes('\n')) || hasPassword(value);
    return isSecret ? [at(field, 'CONFIG_MAP_SECRET', { where, key })] : [];
  });
  return immutable.isTrue ? [...found, at(immutable, 'SECRET_IMMUTABLE', { where }, 'note')] : found;
}
