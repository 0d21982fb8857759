import { readFileSync } from 'node:fs';
import { describeFinding, diagnoseManifests, type Finding, type ManifestText } from 'hot-secrets/doctor';
import type { Diagnosis } from '../../src/doctor/diagnose';
import { expectNotIn } from './doctor-stage';

/** Values that no output may have: of variables, of Secrets, and inside of them. */
export const VALUES = ['Marked-Value-7c1f', 'k7-Marked-Value-7c1f', 'db.shop:5432'];

export const manifest = (name: string) =>
  readFileSync(new URL(`./manifests/${name}.yaml`, import.meta.url), 'utf8');

/** Replaces a part of a manifest, which must be there once. */
export function edited(text: string, part: string, by: string): string {
  if (text.split(part).length !== 2) throw new Error(`"${part}" is not once in the manifest`);
  return text.replace(part, () => by);
}

/** Diagnoses a text, whose values are in no output. */
export async function diagnoseText(text: string, ...others: (string | ManifestText)[]): Promise<Diagnosis> {
  const diagnosis = await diagnoseManifests([{ name: 'shop.yaml', text }, ...others]);
  for (const value of VALUES) expectNotIn(diagnosis, value);
  return diagnosis;
}

/** `CODE: the text of its line`. */
export function placedIn(text: string, { code, line }: Finding): string {
  return `${code}: ${text.split('\n')[(line ?? 0) - 1]?.trim()}`;
}

export const nextOf = (finding: Finding | undefined) => describeFinding(finding as Finding).next;
