import type { Field } from './fields';
import type { Place, Resource } from './resources';

/** An object of the vault that a SecretProviderClass fetches. */
export interface KeyVaultObject {
  readonly root: Field;
  readonly name: string;
  /** The file that it is written to. */
  readonly file: string;
  readonly type: string;
  readonly isPfx: boolean;
}

/** The objects of a SecretProviderClass of Azure, and why they cannot be read. */
export interface KeyVaultObjects {
  readonly objects: readonly KeyVaultObject[];
  readonly problems: readonly { readonly field: Place; readonly reason: string }[];
}

/** Reads the YAML in the YAML: `objects` is a text with a list of texts. */
export function keyVaultObjects({ root }: Resource): KeyVaultObjects {
  const field = root.get('spec', 'parameters', 'objects');
  const none = { objects: [], problems: [] };
  if (field.text === '') return none;
  const { documents, error } = field.documents();
  if (error !== undefined)
    return { ...none, problems: [{ field: placed(field, error.line), reason: 'no valid YAML' }] };
  const array = documents[0]?.get('array');
  if (!array?.exists) return { ...none, problems: [{ field, reason: 'no array' }] };
  const objects: KeyVaultObject[] = [];
  const problems: { field: Place; reason: string }[] = [];
  for (const item of array.items) {
    if (item.text === '') {
      problems.push({ field: item, reason: 'an item is not a text (write "- |")' });
      continue;
    }
    const parsed = item.documents();
    const [object] = parsed.documents;
    if (parsed.error !== undefined || object === undefined) {
      problems.push({ field: placed(item, parsed.error?.line), reason: 'an item is not valid YAML' });
      continue;
    }
    const [name, alias, type, format] = ['objectName', 'objectAlias', 'objectType', 'objectFormat'].map(
      (one) => textOf(object.get(one)),
    ) as [string, string, string, string];
    objects.push({ root: object, name, file: alias || name, type, isPfx: format.toLowerCase() === 'pfx' });
    problems.push(...problemsOf(object, name, type, format));
  }
  return { objects, problems };
}

function textOf({ value }: Field): string {
  return String(value ?? '').trim();
}

function placed({ file, line: own }: Field, line = own): Place {
  return { file, line };
}

const TYPES = /^(secret|key|cert)$/i;
const KNOWN =
  'objectName objectAlias objectVersion objectVersionHistory objectType objectFormat objectEncoding filePermission'.split(
    ' ',
  );

function* problemsOf(object: Field, name: string, type: string, format: string) {
  for (const [key, field] of object.fields) {
    const known = misspelt(key, KNOWN);
    if (known !== undefined) yield { field, reason: `${key} is spelt ${known}` };
  }
  const spelt = (key: string) =>
    [...object.fields.keys()].some((one) => one.toLowerCase() === key.toLowerCase());
  if (name === '' && !spelt('objectName')) yield { field: object, reason: 'an object has no objectName' };
  if (!TYPES.test(type) && (type !== '' || !spelt('objectType'))) {
    const reason =
      type === '' ? `"${name}" has no objectType` : `objectType of "${name}" is not secret, key or cert`;
    yield { field: object.get('objectType'), reason };
  }
  const isSecret = type === 'secret';
  if (!/^(|pem|pfx)$/i.test(format)) {
    yield { field: object.get('objectFormat'), reason: `objectFormat of "${name}" is not pem or pfx` };
  } else if (/pfx/i.test(format) && TYPES.test(type) && !isSecret) {
    yield {
      field: object.get('objectFormat'),
      reason: `objectFormat: pfx of "${name}" needs objectType: secret`,
    };
  }
  const encoding = object.get('objectEncoding');
  if (!/^(|utf-8|hex|base64)$/i.test(textOf(encoding))) {
    yield { field: encoding, reason: `objectEncoding of "${name}" is not utf-8, hex or base64` };
  } else if (textOf(encoding) !== '' && TYPES.test(type) && !isSecret) {
    yield { field: encoding, reason: `objectEncoding of "${name}" needs objectType: secret` };
  }
  const file = textOf(object.get('objectAlias')) || name;
  if (file.startsWith('/') || file.includes('..')) {
    yield { field: object, reason: `the file name "${file}" leads out of the mount` };
  }
}

/** The known name that differs only in its case. */
export function misspelt(name: string, known: readonly string[]): string | undefined {
  return known.find((one) => one !== name && one.toLowerCase() === name.toLowerCase());
}
