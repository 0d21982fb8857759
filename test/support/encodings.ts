/** An encoding of a value, as encoders of this and other languages write it. */
export type Encode = (value: string) => string;

const inJson: Encode = (value) => JSON.stringify(value).slice(1, -1);
const inUrl: Encode = (value) => encodeURIComponent(value);
const asHex = (unit: string) => unit.charCodeAt(0).toString(16).padStart(4, '0');
const lowerHex = (text: string) => text.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase());

/** Encodings from which a parser recovers the value, by name. */
export const encodings: Readonly<Record<string, Encode>> = {
  'as it is': (value) => value,
  'in JSON': inJson,
  'in JSON in JSON': (value) => inJson(inJson(value)),
  'in JSON with \\/': (value) => inJson(value).replaceAll('/', '\\/'),
  'in JSON with \\u003c': (value) => inJson(value).replace(/[<>&]/g, (unit) => `\\u${asHex(unit)}`),
  'in JSON with \\u003C': (value) =>
    inJson(value).replace(/[<>&'+]/g, (unit) => `\\u${asHex(unit).toUpperCase()}`),
  'in JSON of ASCII': (value) => inJson(value).replace(/[^ -~]/g, (unit) => `\\u${asHex(unit)}`),
  'in JSON of ASCII, in upper case': (value) =>
    inJson(value).replace(/[^ -~]/g, (unit) => `\\u${asHex(unit).toUpperCase()}`),
  'in JSON of ASCII in JSON': (value) =>
    inJson(inJson(value).replace(/[^ -~]/g, (unit) => `\\u${asHex(unit)}`)),
  'in a URL': inUrl,
  'in a URL, in lower case': (value) => lowerHex(inUrl(value)),
  'in a URL that keeps reserved characters': (value) => encodeURI(value),
  'in a form': (value) => new URLSearchParams({ '': value }).toString().slice(1),
  'in a form, in lower case': (value) => lowerHex(new URLSearchParams({ '': value }).toString().slice(1)),
  'in a URL in a URL': (value) => inUrl(inUrl(value)),
  'in a URL in JSON': (value) => inJson(inUrl(value)),
  'in JSON in a URL': (value) => inUrl(inJson(value)),
};

/** Encodes the value between two other texts in base64. */
export function base64Around(value: string, before: string, after: string): string {
  return Buffer.from(`${before}${value}${after}`).toString('base64');
}

/** Whether `text` holds `value` in one of the encodings, or anywhere in base64. */
export function holds(text: string, value: string): boolean {
  if (Object.values(encodings).some((encode) => text.includes(encode(value)))) return true;
  const bytes = Buffer.from(value).toString('latin1');
  return [...text.replaceAll('\\/', '/').matchAll(/[\w+/-]{8,}/g)].some(([run]) =>
    [0, 1, 2, 3].some((start) => Buffer.from(run.slice(start), 'base64').toString('latin1').includes(bytes)),
  );
}
