import type { ReadRequest } from '../source';
import { listFiles } from './list-files';
import { type FileReading, type Place, readSecretFile } from './read-file';

/** Reads what a request names and, where it asks for that, everything that is listed; each file once. */
export function readFiles(place: Place, { lookups, list }: ReadRequest): Map<string, FileReading> {
  const readings = new Map<string, FileReading>();
  if (list) {
    for (const file of listFiles(place.base)) readings.set(file, readSecretFile(place, file, file));
  }
  for (const { name, file } of lookups) {
    const listed = name === file && readings.has(name);
    if (!listed) readings.set(name, readSecretFile(place, name, file));
  }
  return readings;
}
