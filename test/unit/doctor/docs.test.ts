import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { doctorLevels } from '../../../src/doctor/findings';

it('documents every code of the doctor once, in the order of the code, with its level', () => {
  const page = readFileSync('docs/doctor.md', 'utf8');
  const rows = [...page.matchAll(/^\|\s*`([A-Z_0-9]+)`\s*\|\s*(\w+)\s*\|/gm)].map(([, code, level]) => [
    code,
    level,
  ]);
  expect(rows).toEqual(Object.entries(doctorLevels));
});
