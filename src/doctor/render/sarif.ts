import { isAbsolute, normalize, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Diagnosis } from '../diagnose';
import type { Finding } from '../findings';
import { describeFinding } from '../messages';

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';

/** The diagnosis in SARIF 2.1.0, which code hosts and CI systems show. */
export function renderSarif({ findings }: Diagnosis): string {
  const codes = [...new Set(findings.map(({ code }) => code))];
  const log = {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'hot-secrets doctor',
            rules: codes.map((id) => ({ id, name: id })),
          },
        },
        results: findings.map((finding) => resultOf(finding, codes.indexOf(finding.code))),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function resultOf(finding: Finding, ruleIndex: number): object {
  const { what, next } = describeFinding(finding);
  const { code, level, secret, place, line } = finding;
  return {
    ruleId: code,
    ruleIndex,
    level,
    message: { text: next === '' ? `${what}.` : `${what}. ${next}` },
    locations: [
      {
        ...(place !== undefined && (line !== undefined || place.startsWith('/'))
          ? {
              physicalLocation: {
                artifactLocation: { uri: uriOf(place) },
                ...(line !== undefined && { region: { startLine: line } }),
              },
            }
          : {}),
        logicalLocations: [
          { name: secret ?? place ?? 'process', fullyQualifiedName: place ?? secret ?? 'process' },
        ],
      },
    ],
  };
}

/** A relative path stays relative, to the root of the repository in CI. */
function uriOf(path: string): string {
  if (isAbsolute(path)) return pathToFileURL(path).href;
  return normalize(path).split(sep).map(encodeURIComponent).join('/');
}
